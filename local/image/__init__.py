"""Builds the image with podman on a stand-in for Microsoft's base image, and runs the tests of it."""
