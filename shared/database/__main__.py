"""`python -m shared.database COMMAND`: the jobs on the database; each reads the settings."""

import sys

from shared.command_line import main

COMMANDS = {
    "migrate": ("shared.database.migrate", "bring the schema up to date"),
    "partitions": ("shared.database.partitions", "make the partitions of this month and the next ones"),
    "retention": ("shared.database.retention", "delete or archive what is older than some months"),
}

if __name__ == "__main__":
    sys.exit(main("python -m shared.database", "FraudSense's database.", COMMANDS, sys.argv[1:]))
