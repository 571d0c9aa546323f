"""`python -m ml COMMAND`: train and evaluate the model."""

import sys

from shared.command_line import main

COMMANDS = {
    "train": ("ml.train", "train the forest from a CSV of transactions and write a model folder"),
    "export": ("ml.export_folder", "make the served files of a model folder anew from model.joblib"),
    "evaluate": ("ml.evaluate", "what a model would have found in the days after its training, as a report"),
    "backtest": ("ml.backtest", "what rules would have hit, in a file or in what was recorded"),
    "simulate": ("ml.simulate", "write labelled card payments of simulated customers to a CSV"),
    "import-labels": ("ml.import_labels", "read chargebacks and other verdicts from a CSV into PostgreSQL"),
    "snapshot": ("ml.snapshot", "price levels and fraud shares of a day, for the scorers to pick up"),
}

if __name__ == "__main__":
    sys.exit(main("python -m ml", "Train the model that FraudSense serves.", COMMANDS, sys.argv[1:]))
