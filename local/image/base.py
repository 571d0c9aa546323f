"""A stand-in for the base image where its registry is out of reach: Debian with Python 3.13, no Functions host.

It shows that the Dockerfile builds, and that what is built runs as another user, on a read-only root, and stops on
SIGTERM. It shows nothing of the Functions host.
"""

import subprocess
from collections.abc import Callable

from local.image.podman import Podman
from local.services.programs import Program
from shared.command_line import UserError

BASE = "localhost/base-stand-in:debian-13"
PROGRAMS = (Program("mmdebstrap", "mmdebstrap"),)
_SUITE = "trixie"
_PACKAGES = ("ca-certificates", "libgomp1", "python-is-python3", "python3", "python3-pip")


def make_base(podman: Podman, tell: Callable[[str], None]) -> str:
    """The stand-in's name; it is made once. Raises UserError."""
    if not podman("images", "--quiet", BASE):
        tell("Making a stand-in for the base image (about 90 seconds, first time only)")
        tar = podman.folder / "base.tar"
        _bootstrap(str(tar))
        podman("import", "--quiet", str(tar), BASE)
        tar.unlink()
    return BASE


def _bootstrap(tar: str) -> None:
    options = ["--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(_PACKAGES)}"]
    done = subprocess.run(["mmdebstrap", *options, _SUITE, tar, *_mirror()], check=False, stdout=2)
    if done.returncode:
        raise UserError(f"mmdebstrap could not make Debian {_SUITE}: see its message above, then run this again.")


def _mirror() -> list[str]:
    """The one that this machine's apt uses for Debian's packages; none leaves mmdebstrap its default."""
    query = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Label: Debian"]
    return subprocess.run(query, check=True, capture_output=True, text=True).stdout.split()[:1]
