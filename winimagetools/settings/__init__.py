"""What may be asked for: the options, how they are declared, what looks wrong in a file."""
