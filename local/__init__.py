"""The local build: the whole product on one machine with one command."""
