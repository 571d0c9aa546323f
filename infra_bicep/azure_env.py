"""Turns a deployment's outputs (JSON on standard input) into the overlay's azure.env (on standard output).

usage: azure_env.py EXAMPLE

Keys and their order are EXAMPLE's. IMAGE_DIGEST stays as it is there, since the image comes after the deployment.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

LATER = "IMAGE_DIGEST"


def filled(example: str, outputs: Mapping[str, Mapping[str, object]]) -> str:
    """The lines of `example` with the outputs' values. Raises KeyError naming what is not put out."""
    # Resource Manager answers with a case of its own: INGEST_NAME may come back as ingesT_NAME.
    values = {name.upper(): str(output["value"]) for name, output in outputs.items()}
    keys = [line.partition("=")[0] for line in example.splitlines() if line and not line.startswith("#")]
    missing = sorted(set(keys) - set(values) - {LATER})
    if missing:
        raise KeyError(", ".join(missing))
    old = dict(line.split("=", 1) for line in example.splitlines() if "=" in line)
    return "".join(f"{key}={old[key] if key == LATER else values[key]}\n" for key in keys)


def main(arguments: list[str]) -> int:
    """0; or 2 with a sentence on standard error."""
    try:
        [example] = arguments
        sys.stdout.write(filled(Path(example).read_text(), json.load(sys.stdin)))
    except ValueError as error:
        print(f"azure_env: {error}\n{__doc__}", file=sys.stderr)
        return 2
    except KeyError as error:
        print(
            f"azure_env: main.bicep does not put out {error.args[0]}: deploy this version of it.", file=sys.stderr
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
