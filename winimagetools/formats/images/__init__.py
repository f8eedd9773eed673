"""Disk images of every container, read where they lie: no copy, no mount, no other program.

Each module knows one container and shows the disk in it as bytes by offset
(:class:`~winimagetools.formats.images.image.Image`); :mod:`~winimagetools.formats.images.probe`
tells which container a file is, by its content. Nothing here writes.
"""
