"""In-memory versions of every port, shipped and held to the same contracts as the real ones."""
