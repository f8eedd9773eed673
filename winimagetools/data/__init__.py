"""Files that go into an image; all written for this project."""

from __future__ import annotations

from pathlib import Path

UNATTEND_TEMPLATE = "UnattendTemplate.xml"
"""The answer file template of this project, and the word in ``unattend_xml_path`` for it."""


def data_path(name: str) -> Path:
    """A file or folder of this package, such as ``guest`` or ``wallpaper.jpg``."""
    return Path(__file__).parent / name
