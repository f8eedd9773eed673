"""The fetcher of both hosts: what it is asked reaches the one that downloads."""

from __future__ import annotations

from pathlib import Path

import pytest

from winimagetools.errors import RequestError
from winimagetools.net import download
from winimagetools.net.on_demand import FetcherOnDemand


def test_what_is_asked_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every word of it, and the answer comes back; one downloader serves all."""
    asked: list[object] = []
    asked_of: list[object] = []

    class Recording(download.Downloader):
        def fetch(self, *words: object, **options: object) -> Path:
            asked.append((words, options))
            asked_of.append(self)
            return Path("cached")

        def fetch_member(self, *words: object) -> bytes:
            asked.append((words, {}))
            asked_of.append(self)
            return b"member"

    monkeypatch.setattr(download, "Downloader", Recording)
    fetcher = FetcherOnDemand()
    assert fetcher.fetch("http://h/a", sha256="0" * 64, magic=(b"M",)) == Path("cached")
    assert fetcher.fetch_member("http://h/z", "a.exe") == b"member"
    assert asked == [
        (("http://h/a",), {"sha256": "0" * 64, "magic": (b"M",)}),
        (("http://h/z", "a.exe"), {}),
    ]
    assert len(set(asked_of)) == 1


def test_what_cannot_be_a_url() -> None:
    """It is refused by the downloader itself, before any connection."""
    with pytest.raises(RequestError, match="ftp"):
        FetcherOnDemand().fetch("ftp://h/a")
