"""`python -m ml COMMAND`: train and evaluate the model."""

import os
import sys

from shared.command_line import main

COMMANDS = {
    "train": ("ml.train", "train the forest from a CSV of transactions and write a model folder"),
    "export": ("ml.export_folder", "make the served files of a model folder anew from model.joblib"),
    "evaluate": ("ml.evaluate", "what a model would have found in the days after its training, as a report"),
    "model-card": ("ml.model_card", "measure the model anew and write the figures into its card"),
    "backtest": ("ml.backtest", "what rules would have hit, in a file or in what was recorded"),
    "simulate": ("ml.simulate", "write labelled card payments of simulated customers to a CSV"),
    "import-labels": ("ml.import_labels", "read chargebacks and other verdicts from a CSV into PostgreSQL"),
    "snapshot": ("ml.snapshot", "price levels and fraud shares of a day, for the scorers to pick up"),
    "register": ("ml.register", "put a model folder into the registry, as it is or with other rules"),
    "promote": ("ml.promote", "put a registered model into service: champion, canary or shadow"),
    "rollback": ("ml.rollback", "give the decisions back to the champion before"),
    "withdraw": ("ml.withdraw", "end the trial of a canary or a shadow"),
    "list": ("ml.list_models", "the registered models, and what each does now"),
    "drift": ("ml.drift", "how far features and risk of some days are from those of the training window"),
}

if __name__ == "__main__":
    # Threads that spin while they wait for each other take the processor from whatever else runs here. Read once,
    # when scikit-learn's OpenMP is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(main("python -m ml", "Train the model that FraudSense serves.", COMMANDS, sys.argv[1:]))
