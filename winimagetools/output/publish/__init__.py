"""The commands that take an image to where it runs: one module for each target."""
