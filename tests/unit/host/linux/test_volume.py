"""The NTFS volume: command line, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from winimagetools.errors import BuildError
from winimagetools.host.linux import volume
from winimagetools.model import MIB


def test_the_command_line_of_mkntfs() -> None:
    """Hidden sectors, heads and sectors per track are what a BIOS boot sector needs."""
    assert volume.mkntfs_arguments(Path("work/windows.ntfs"), 329 * MIB) == [
        *("-F", "-f", "-T", "-s", "512", "-p", "673792", "-H", "255", "-S", "63"),
        *("-c", "4096", "-L", "OS", Path("work/windows.ntfs")),
    ]


@pytest.mark.parametrize("output", ["Volume Flags: 0x0001\n", "\tVolume Flags: 0x4000", ""])
def test_a_volume_that_is_not_clean_is_refused(
    monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    """The dirty flag, an unfinished chkdsk, or no answer at all."""
    monkeypatch.setattr(volume, "run", lambda *_: output)
    with pytest.raises(BuildError, match="was not left clean"):
        volume.check_clean(Path("windows.ntfs"))
