"""The pure domain: standard library only, no clock, no environment, no I/O."""
