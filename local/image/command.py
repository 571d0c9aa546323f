"""`make image-test`: builds the image on a stand-in base and shows that it serves, scores, and stops."""

import argparse
import os

from local.image import base, podman
from local.image.build import build, describe
from local.image.podman import Podman, PodmanFailed
from local.services.programs import require
from local.supervisor import ROOT
from local.terminal import tell
from local.test import run_tests
from shared.command_line import UserError

FOLDER = ROOT / ".local-image"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What follows is pytest's."""
    parser.add_argument(
        "pytest_arguments", nargs="*", metavar="-- PYTEST ARGUMENTS", help="for example: -- -k score"
    )


def run(args: argparse.Namespace) -> int:
    """pytest's exit code. Raises UserError where a tool is missing, or the image cannot be built."""
    if os.geteuid() != 0:
        raise UserError("The image is built and run as root here: run `sudo make image-test`.")
    require([*podman.PROGRAMS, *base.PROGRAMS], tell)
    engine = Podman(FOLDER)
    try:
        image = build(engine, base.make_base(engine, tell), tell)
        for line in describe(engine, image):
            tell(line)
    except PodmanFailed as error:
        raise UserError(str(error)) from error
    return run_tests(["-m", "image", "tests/image", *args.pytest_arguments], FOLDER / "services")
