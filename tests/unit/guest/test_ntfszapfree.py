"""ntfszapfree: the right program out of its archive."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from tests.unit.fakes import FakeFetcher, MemoryTree
from winimagetools.errors import DownloadError, RequestError
from winimagetools.guest.ntfszapfree import URL, download_zapfree
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
    tree = MemoryTree()
    data = archive("README", "dist/zapfree32.exe", "dist/ZapFree.exe")
    download_zapfree(tree, FakeFetcher(tmp_path, {URL: data}), architecture)
    assert tree.content == {"UnattendResources/zapfree.exe": member}


def test_an_archive_without_the_program_is_an_error(tmp_path: Path) -> None:
    """The missing file is named."""
    fetcher = FakeFetcher(tmp_path, {URL: archive("zapfree.exe")})
    with pytest.raises(DownloadError, match=r"holds no zapfree32\.exe"):
        download_zapfree(MemoryTree(), fetcher, Architecture.X86)


def test_a_damaged_archive_is_an_error(tmp_path: Path) -> None:
    """A truncated download does not become a program."""
    fetcher = FakeFetcher(tmp_path, {URL: archive("zapfree.exe")[:30]})
    with pytest.raises(DownloadError, match="damaged"):
        download_zapfree(MemoryTree(), fetcher, Architecture.AMD64)


def test_there_is_none_for_itanium(tmp_path: Path) -> None:
    """The error says which option to change, and nothing is downloaded."""
    fetcher = FakeFetcher(tmp_path)
    with pytest.raises(RequestError, match="zero_unused_volume_sectors"):
        download_zapfree(MemoryTree(), fetcher, Architecture.IA64)
    assert fetcher.asked == []
