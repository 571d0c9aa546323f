"""score: envelopes come off the queue; decisions, rows and alerts come out."""
