"""A private RabbitMQ with its own Erlang port mapper, cookie and home; every port on loopback only."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from local.data_folder import DataFolder, write_private
from local.ports import kept_port
from local.services.programs import Program, find
from local.services.service import Service, answers, clean_environment
from local.supervisor import Part

SERVER = Program(
    "rabbitmq-server",
    "rabbitmq-server",
    # Debian's program on PATH refuses every user but its own; the one behind it does not.
    ("/usr/lib/rabbitmq/bin", "/opt/homebrew/opt/rabbitmq/sbin"),
    otherwise="FRAUDSENSE_RABBITMQ_URL",
)
PORT_MAPPER = Program("epmd", "erlang-base", ("/usr/lib/erlang/bin",))
PROGRAMS = (SERVER, PORT_MAPPER)


def prepare(folder: DataFolder) -> Service:
    """Write its configuration; its data is made by itself, and made again by itself where it was interrupted."""
    home, port, password = folder.sub("rabbitmq"), kept_port(folder, "rabbitmq"), folder.password("rabbitmq")
    _write_configuration(home, port, password)
    mapper_port = kept_port(folder, "epmd")
    environment = _environment(home, mapper_port, kept_port(folder, "rabbitmq-distribution"))
    mapper = Part(
        name="epmd",
        command=(str(find(PORT_MAPPER)), "-port", str(mapper_port), "-address", "127.0.0.1"),
        ready=partial(answers, mapper_port, b"\x00\x01n", mapper_port.to_bytes(4, "big")),
        environment=environment,
        cwd=home,
    )
    server = Part(
        name="rabbitmq",
        command=(str(find(SERVER)), "-noinput"),
        ready=partial(answers, port, b"AMQP\x00\x00\x09\x01", b"RabbitMQ"),
        environment=environment,
        cwd=home,
        stop_seconds=30,
    )
    return Service(f"amqp://fraudsense:{password}@127.0.0.1:{port}/", (mapper, server))


def with_management(folder: DataFolder, interval: float) -> str:
    """Have the prepared instance answer its management API, counts new each `interval` seconds; the API's URL."""
    home, port = folder.sub("rabbitmq"), kept_port(folder, "rabbitmq-management")
    period, seconds = round(interval * 1000), max(1, round(interval))
    kept = ", ".join(f"{{{kind}, [{{600, {seconds}}}]}}" for kind in ("global", "basic", "detailed"))
    (home / "enabled_plugins").write_text("[rabbitmq_management].\n")
    (home / "advanced.config").write_text(
        f"[{{rabbit, [{{collect_statistics_interval, {period}}}, {{quorum_tick_interval, {period}}}]}},\n"
        f" {{rabbitmq_management_agent, [{{sample_retention_policies, [{kept}]}}]}},\n"
        f' {{rabbitmq_management, [{{tcp_config, [{{ip, "127.0.0.1"}}, {{port, {port}}}]}}]}}].\n'
    )
    return f"http://fraudsense:{folder.password('rabbitmq')}@127.0.0.1:{port}/api"


def _environment(home: Path, mapper_port: int, distribution_port: int) -> Mapping[str, str]:
    return clean_environment(
        HOME=str(home),
        ERL_EPMD_PORT=str(mapper_port),
        ERL_EPMD_ADDRESS="127.0.0.1",
        RABBITMQ_NODENAME="fraudsense@localhost",
        RABBITMQ_DIST_PORT=str(distribution_port),
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}",
        RABBITMQ_CONFIG_FILE=str(home / "rabbitmq.conf"),
        RABBITMQ_ADVANCED_CONFIG_FILE=str(home / "advanced.config"),
        RABBITMQ_CONF_ENV_FILE=str(home / "rabbitmq-env.conf"),
        RABBITMQ_ENABLED_PLUGINS_FILE=str(home / "enabled_plugins"),
        RABBITMQ_MNESIA_BASE=str(home / "data"),
        RABBITMQ_LOG_BASE=str(home / "data"),
        RABBITMQ_LOGS="-",
        # Makes the start script become the broker itself instead of its parent, so that signals reach it.
        RABBITMQ_ALLOW_INPUT="1",
    )


def _write_configuration(home: Path, port: int, password: str) -> None:
    (home / "enabled_plugins").write_text("[].\n")
    write_private(
        home / "rabbitmq.conf",
        f"listeners.tcp.1 = 127.0.0.1:{port}\ndefault_user = fraudsense\ndefault_pass = {password}\n"
        "loopback_users.fraudsense = true\ndisk_free_limit.absolute = 200MB\nlog.console.level = warning\n",
    )
