"""The command line: commands are loaded only when called, and user errors are sentences."""

import sys
from pathlib import Path

import pytest

from shared.command_line import main

GREET = '''
"""Greets."""
from shared.command_line import UserError

def add_arguments(parser):
    parser.add_argument("name")

def run(args):
    if args.name == "nobody":
        raise UserError("Give a name.")
    print(f"Hello {args.name}")
    return 3
'''


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, str]]:
    (tmp_path / "greet_command.py").write_text(GREET)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "greet_command", raising=False)
    return {"greet": ("greet_command", "say hello"), "broken": ("no_such_module", "never loaded")}


def test_a_commands_result_is_the_exit_code(
    commands: dict[str, tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("prog", "Text.", commands, ["greet", "Ada"]) == 3
    assert capsys.readouterr().out == "Hello Ada\n"


def test_a_user_error_is_one_sentence_and_exit_code_2(
    commands: dict[str, tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("prog", "Text.", commands, ["greet", "nobody"]) == 2
    assert capsys.readouterr().err == "prog: Give a name.\n"


def test_help_lists_all_commands_and_loads_none(
    commands: dict[str, tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main("prog", "Text.", commands, ["--help"])

    assert "say hello" in (shown := capsys.readouterr().out)
    assert "never loaded" in shown
    assert "greet_command" not in sys.modules


def test_an_argument_that_is_named_like_a_command_loads_only_the_command(
    commands: dict[str, tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("prog", "Text.", commands, ["greet", "broken"]) == 3
    assert capsys.readouterr().out == "Hello broken\n"


@pytest.mark.parametrize("argv", [[], ["unknown"], ["greet"], ["greet", "Ada", "--what"]])
def test_a_wrong_call_ends_with_exit_code_2(commands: dict[str, tuple[str, str]], argv: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main("prog", "Text.", commands, argv)


@pytest.mark.parametrize("module", ["local.__main__", "ml.__main__"])
def test_every_shipped_command_can_be_loaded(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    commands = __import__(module, fromlist=["COMMANDS"]).COMMANDS
    for name in commands:
        with pytest.raises(SystemExit, match="0"):
            main("prog", "Text.", commands, [name, "--help"])
        assert "usage: prog" in capsys.readouterr().out
