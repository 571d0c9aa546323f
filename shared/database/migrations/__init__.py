"""Alembic's migrations. Each only expands the schema: code of the version before works on it, writing and reading.

One that takes something away names in its module, as `unused_since`, the version since which nobody relies on it.
"""
