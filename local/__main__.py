"""`python -m local COMMAND`: everything about running FraudSense on one machine."""

import sys
from pathlib import Path

from dotenv import load_dotenv

from shared.command_line import main

COMMANDS = {
    "run": ("local.run", "start everything on this machine and stream sample traffic"),
    "status": ("local.status", "show URLs and process ids of what `run` started"),
    "test": ("local.test", "start private services and run the tests"),
    "image-test": ("local.image.command", "build the image on a stand-in base, run it, and test it"),
    "func": ("local.func", "start services, Core Tools (`func start`) and the dashboard"),
    "enqueue": (
        "local.enqueue",
        "publish a file of transactions straight to the queue, as another producer would",
    ),
    "dead-letters": ("local.dead_letters", "list, show, redrive or purge what could not be handled"),
    "lists": ("local.lists", "block or trust accounts, merchants and devices"),
    "replay": ("local.replay", "post a CSV of transactions and wait until all are scored"),
    "rebuild-history": ("local.rebuild_history", "write account histories from the database to Redis"),
    "retention": ("local.retention", "delete or archive what is older than some months"),
    "ml": ("local.ml", "`python -m ml COMMAND …` on what `run` started"),
    "chaos": ("local.chaos.command", "load, faults and the books: nothing may be lost, doubled or stuck"),
    "scale-sim": ("local.scale_sim.command", "what KEDA's and the HPA's rules would do with the scorers"),
    "sample-traffic": ("local.sample_traffic", "post seeded sample traffic until stopped"),
}

if __name__ == "__main__":
    load_dotenv(Path(__file__).parents[1] / ".env")
    sys.exit(main("python -m local", "FraudSense on one machine.", COMMANDS, sys.argv[1:]))
