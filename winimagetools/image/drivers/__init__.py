"""Drivers: which go into an image, and whether Windows can start with them."""
