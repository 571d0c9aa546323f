"""Chaos: the full stack under load and a seeded schedule of faults; at the end the books must balance."""
