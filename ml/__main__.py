"""`python -m ml COMMAND`: train and evaluate the model."""

import sys

from shared.command_line import main

COMMANDS = {
    "train": ("ml.train", "train the forest from a CSV of transactions and write a model folder"),
}

if __name__ == "__main__":
    sys.exit(main("python -m ml", "Train the model that FraudSense serves.", COMMANDS, sys.argv[1:]))
