"""How a Windows host does it."""
