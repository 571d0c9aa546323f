"""Builds the image from the Dockerfile without network: this machine's own pip downloads the packages before."""

import hashlib
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from local.image.podman import Podman
from local.supervisor import ROOT
from shared.command_line import UserError

IMAGE = "localhost/fraudsense:stand-in"
_LOCK = ROOT / "requirements-image.txt"
_PYTHON = "3.13"
_PLATFORMS = (*(f"manylinux{glibc}_{platform.machine()}" for glibc in ("_2_28", "_2_17", "2014")), "any")
_PIP_CONF = "[global]\nno-index = true\nfind-links = /wheels\n"


def build(podman: Podman, base: str, tell: Callable[[str], None]) -> str:
    """The image's name. Raises UserError, where the message is above, and PodmanFailed."""
    wheels = _wheels(podman.folder / "wheels", tell)
    configuration = podman.folder / "pip.conf"
    configuration.write_text(_PIP_CONF)
    tell("Building the image")
    podman("image", "prune", "--force", "--filter", "until=24h")  # each build leaves its stages behind
    offline = ("--network", "none", "--pull=never")
    volumes = ("--volume", f"{wheels}:/wheels:ro", "--volume", f"{configuration}:/etc/pip.conf:ro")
    command = podman.command(
        "build", "--quiet", *offline, *volumes, "--build-arg", f"BASE_IMAGE={base}", "--tag", IMAGE, str(ROOT)
    )
    if subprocess.run(command, check=False, stdout=2, env=podman.environment()).returncode:
        raise UserError("podman could not build the image: see its message above, then run this again.")
    return IMAGE


def describe(podman: Podman, image: str) -> list[str]:
    """Lines for people: the image's size, and what each layer adds."""
    history = json.loads(podman("history", "--format", "json", image))
    layers = [layer for layer in history if layer["size"] > 0]
    size = json.loads(podman("inspect", image))[0]["Size"]
    return [
        f"{image}: {size / 1e6:.0f} MB, {len(layers)} layers",
        *(f"  {layer['size'] / 1e6:7.1f} MB  {_said(layer['CreatedBy'])}" for layer in layers),
    ]


def _said(instruction: str) -> str:
    return instruction.replace("/bin/sh -c ", "").replace("#(nop) ", "").strip()[:80]


def _wheels(folder: Path, tell: Callable[[str], None]) -> Path:
    """The locked packages for the image's Python and platform, whatever this machine's are; downloaded once."""
    wanted, stamp = hashlib.sha256(_LOCK.read_bytes()).hexdigest(), folder / "complete"
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    tell("Downloading the image's packages (first time, or requirements-image.txt changed)")
    shutil.rmtree(folder, ignore_errors=True)
    platforms = [word for name in _PLATFORMS for word in ("--platform", name)]
    pip = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--require-hashes"]
    only = ["--no-deps", "--only-binary", ":all:", "--python-version", _PYTHON, *platforms]
    if subprocess.run([*pip, *only, "-d", str(folder), "-r", str(_LOCK)], check=False, stdout=2).returncode:
        raise UserError("pip could not download the packages: see its message above, then run this again.")
    stamp.write_text(wanted)
    return folder
