"""How a Linux host does it."""
