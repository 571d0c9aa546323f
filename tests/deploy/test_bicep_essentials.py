"""Bicep keeps what the deployment cannot do without; each value that is broken is seen."""

import re

import pytest

from tests.deploy.bicep_essentials import ESSENTIALS, PRODUCTION, Essential, broken, missing
from tests.deploy.bicep_types import parse
from tests.deploy.tools import ROOT

FOLDER = ROOT / "infra_bicep"


def text(file: str) -> str:
    """A file of infra_bicep."""
    return (FOLDER / file).read_text()


def production(source: str) -> dict[str, object]:
    """What a parameter file gives of what production needs."""
    body = re.sub(r"^using .*$", "", source, flags=re.MULTILINE)
    given = parse(re.sub(r"^param ", "var ", body, flags=re.MULTILINE))["variables"]
    return {name: given[name]["value"] for name in PRODUCTION}


def test_the_templates_have_all_that_the_deployment_needs() -> None:
    assert list(missing(text)) == []


@pytest.mark.parametrize("essential", ESSENTIALS, ids=lambda each: f"{each.resource}-{each.path}")
def test_an_essential_value_that_is_broken_is_seen(essential: Essential) -> None:
    def changed(file: str) -> str:
        return broken(text(file), essential) if file == essential.file else text(file)

    [said] = missing(changed)

    assert said.startswith(f"{essential.resource}: {essential.path} is 'something else'")


def test_production_asks_for_zones_copies_and_closed_doors() -> None:
    assert production(text("prod.bicepparam")) == PRODUCTION


def test_what_asks_for_less_is_seen() -> None:
    asked = production(text("dev.bicepparam"))

    assert {name for name in PRODUCTION if asked[name] == PRODUCTION[name]} == set()
