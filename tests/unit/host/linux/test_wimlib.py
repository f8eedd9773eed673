import errno
import os
from pathlib import Path

import pytest

from winimagetools.errors import BuildError, DiskFullError, MediaError
from winimagetools.host.linux.libwim import WimCode
from winimagetools.host.linux.wimlib import WimItem, media_error, write_error

PLENTY = 10 << 30
FULL = os.strerror(errno.ENOSPC)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (WimCode.DECOMPRESSION, "damaged"),
        (WimCode.INVALID_RESOURCE_HASH, "damaged"),
        (WimCode.UNEXPECTED_END_OF_FILE, "damaged"),
        (WimCode.INVALID_METADATA_RESOURCE, "damaged"),
        (WimCode.RESOURCE_NOT_FOUND, "not complete"),
        (WimCode.NOT_A_WIM_FILE, "not a WIM file"),
        (WimCode.WIM_IS_ENCRYPTED, "encrypted"),
        (WimCode.UNKNOWN_VERSION, "does not know"),
        (WimCode.INVALID_IMAGE, "no image with that index"),
    ],
)
def test_codes_about_the_wim_are_media_errors(code: WimCode, words: str) -> None:
    """The message says what is wrong with which file."""
    error = media_error(code, Path("/isos/install.wim"), "libwim's words")
    assert isinstance(error, MediaError)
    assert "/isos/install.wim" in error.message and words in error.message


@pytest.mark.parametrize("code", [46, 59, 72, WimCode.NOMEM, WimCode.UNSUPPORTED])
def test_codes_about_writing_are_not(code: int) -> None:
    """They say nothing about the WIM."""
    assert media_error(code, Path("install.wim"), "") is None


@pytest.mark.parametrize(
    ("text", "free", "volume", "kind", "words"),
    [
        (f"Error writing: {FULL}", 0, True, DiskFullError, "file system of"),
        ("something odd", 1 << 20, False, DiskFullError, "file system of"),
        (f"x: {os.strerror(errno.EDQUOT)}", PLENTY, True, DiskFullError, "file system of"),
        (f"x: {FULL}", PLENTY, True, DiskFullError, "partition is too small"),
        (f"x: {FULL}", PLENTY, False, BuildError, FULL),
        ("x: Input/output error", PLENTY, True, BuildError, "Input/output error"),
    ],
)
def test_failed_writing_is_told_apart(
    text: str, free: int, volume: bool, kind: type[BuildError], words: str
) -> None:
    """A full host, a full volume and a broken disk need different answers."""
    error = write_error(text, Path("/out/vol.ntfs"), free, volume=volume)
    assert type(error) is kind
    assert words in error.message


def test_entries_know_what_they_are() -> None:
    """A junction is a folder and a link."""
    junction = WimItem("Documents and Settings", "/Documents and Settings", 0x410, 0)
    file = WimItem("a", "/a", 0x20, 1)
    assert (junction.is_dir, junction.is_link) == (True, True)
    assert (file.is_dir, file.is_link) == (False, False)
