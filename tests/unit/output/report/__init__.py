"""The report of an image."""
