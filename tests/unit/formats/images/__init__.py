"""Disk images of every container."""
