"""The three functions. Each group has a door, a handler and its wiring; groups never import each other."""
