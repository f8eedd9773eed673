"""WIM, ESD and split WIM files: container, description, editions."""
