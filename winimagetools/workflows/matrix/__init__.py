"""Many images: plan all cells, refuse together, make what is missing, tell what came out."""
