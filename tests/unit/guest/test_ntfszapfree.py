"""ntfszapfree: the right program out of its archive."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from tests.unit.fakes import FakeFetcher, put
from winimagetools.errors import DownloadError, RequestError
from winimagetools.guest.ntfszapfree import URL, zapfree_program
from winimagetools.model import Architecture


def archive(*names: str) -> bytes:
    """A ZIP archive whose files contain their own names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as content:
        for name in names:
            content.writestr(name, name)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("architecture", "member"),
    [
        (Architecture.AMD64, b"dist/ZapFree.exe"),
        (Architecture.X86, b"dist/zapfree32.exe"),
        (Architecture.ARM64, b"dist/zapfree32.exe"),
    ],
)
def test_one_program_by_architecture(
    tmp_path: Path, architecture: Architecture, member: bytes
) -> None:
    """Always called zapfree.exe; nothing else of the archive goes into the image."""
    data = archive("README", "dist/zapfree32.exe", "dist/ZapFree.exe")
    fetcher = FakeFetcher(tmp_path, {URL: data})
    assert put(zapfree_program(architecture), fetcher=fetcher) == {
        "UnattendResources/zapfree.exe": member
    }


def test_an_archive_without_the_program_is_an_error(tmp_path: Path) -> None:
    """The missing file is named."""
    fetcher = FakeFetcher(tmp_path, {URL: archive("zapfree.exe")})
    with pytest.raises(DownloadError, match=r"holds no zapfree32\.exe"):
        put(zapfree_program(Architecture.X86), fetcher=fetcher)


def test_a_damaged_archive_is_an_error(tmp_path: Path) -> None:
    """A truncated download does not become a program."""
    fetcher = FakeFetcher(tmp_path, {URL: archive("zapfree.exe")[:30]})
    with pytest.raises(DownloadError, match="damaged"):
        put(zapfree_program(Architecture.AMD64), fetcher=fetcher)


def test_there_is_none_for_itanium() -> None:
    """The error says which option to change."""
    with pytest.raises(RequestError, match="zero_unused_volume_sectors"):
        zapfree_program(Architecture.IA64)
