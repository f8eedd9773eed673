"""What is looked at before and after a build: this machine, and finished images."""
