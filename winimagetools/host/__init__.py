"""The machines a build can run on."""
