"""What goes into an image: decisions, and file work on a Windows tree; the same on every host."""
