"""What is said when a file of a plan cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.fakes import FakeFetcher, put
from winimagetools.errors import ChecksumError, DownloadError
from winimagetools.guest import cloudbase_init, ntfszapfree
from winimagetools.model import Architecture
from winimagetools.plan import Download, FileAddition


def _failure(addition: FileAddition) -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        put(addition)
    return caught.value


def test_a_failed_download_says_what_helps() -> None:
    """The option that makes it unnecessary stands behind what helps with any download."""
    (addition,) = cloudbase_init.cloudbase_init_files(Architecture.AMD64, beta=False)
    assert _failure(addition).hint == (
        f"{DownloadError.remedy} Without a network give the installer as msi_path in "
        "[cloudbase_init]."
    )
    zapfree = _failure(ntfszapfree.zapfree_program(Architecture.AMD64))
    assert zapfree.hint.endswith(" Without it set zero_unused_volume_sectors to False.")


def test_another_file_than_asked_for(tmp_path: Path) -> None:
    """A wrong checksum is no matter of the network: the advice about it is left out."""
    url = "https://h/a.msi"
    addition = FileAddition("a.msi", (Download(url, "00" * 32, instead="Give a.msi."),))
    with pytest.raises(ChecksumError) as caught:
        put(addition, fetcher=FakeFetcher(tmp_path, {url: b"other"}))
    assert "Give a.msi." not in str(caught.value)
