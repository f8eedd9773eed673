"""The table of upper-case letters against the one of a fresh NTFS volume."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

from winimagetools.files.upcase import UPPER_CASE


def test_table_of_a_volume(tmp_path: Path) -> None:
    """Each letter has the capital that mkntfs writes into ``$UpCase``."""
    volume = tmp_path / "volume"
    with volume.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkntfs", "-q", "-F", "-Q", str(volume)], check=True, capture_output=True)
    read = subprocess.run(
        ["ntfscat", "-f", str(volume), "$UpCase"], check=True, capture_output=True
    )
    table = struct.unpack("<65536H", read.stdout)
    assert {letter: upper for letter, upper in enumerate(table) if upper != letter} == UPPER_CASE
