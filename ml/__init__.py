"""Training, evaluation and the forest that the scorer serves."""
