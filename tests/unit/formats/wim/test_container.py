"""Names of the parts of a split WIM."""

from __future__ import annotations

from winimagetools.formats.wim.container import part_names


def test_part_names() -> None:
    """Parts are numbered from 2 on, before the extension."""
    assert part_names("install.swm", 3) == ["install.swm", "install2.swm", "install3.swm"]
    assert part_names("a.b.swm", 2) == ["a.b.swm", "a.b2.swm"]
    assert part_names("install", 2) == ["install", "install2"]
    assert part_names("install.wim", 1) == ["install.wim"]
