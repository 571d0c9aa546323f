"""Runs inside a container and says, as JSON, what an intruder would have there. Only the standard library."""

import json
import os
import shutil
import sys
import tempfile

FOLDERS = (
    "/",
    "/home",
    "/home/site/wwwroot",
    "/usr/bin",
    "/tmp",  # noqa: S108 - in the container
    "/home/LogFiles",
    "/home/data",
    "/azure-functions-host/Secrets",
)
COMPILERS = ("cc", "gcc", "g++", "clang", "ld", "make")


def _can_write(folder: str) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _status() -> dict[str, str]:
    with open("/proc/self/status") as lines:
        return dict(line.strip().split(":\t", 1) for line in lines if ":\t" in line)


def _programs_that_change_their_user() -> list[str]:
    files = (os.path.join(folder, name) for folder, _, names in os.walk("/usr") for name in names)
    return sorted(file for file in files if not os.path.islink(file) and os.stat(file).st_mode & 0o6000)


def _findings() -> dict[str, object]:
    status = _status()
    return {
        "user": os.getuid(),
        "group": os.getgid(),
        "capabilities": int(status["CapEff"], 16),
        "may_gain_privileges": status["NoNewPrivs"].strip() != "1",
        "writable": [folder for folder in FOLDERS if _can_write(folder)],
        "compilers": [name for name in COMPILERS if shutil.which(name)],
        "changing_user": _programs_that_change_their_user(),
    }


if __name__ == "__main__":
    json.dump(_findings(), sys.stdout)
