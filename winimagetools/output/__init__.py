"""From a finished disk to a file that is delivered: containers, archives, publication."""
