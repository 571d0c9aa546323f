"""Schema changes, expand first: readers of the old and of the new schema work side by side."""
