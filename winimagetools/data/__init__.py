"""Files that go into an image; all written for this project."""
