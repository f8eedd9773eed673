"""Formats as records and bytes: no host, no network, nothing about images."""
