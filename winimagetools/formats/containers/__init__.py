"""Containers of virtual disks, written around data that stays where it is.

Each module knows one container and only decides: what lies where on a disk comes in, a
:class:`~winimagetools.formats.containers.layout.Layout` comes out.
"""
