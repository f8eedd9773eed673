"""What lies and runs inside an image."""
