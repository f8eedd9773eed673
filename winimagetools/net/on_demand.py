"""A fetcher that takes no time where nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from winimagetools.net.download import Downloader


class FetcherOnDemand:
    """Implements ``contract.Fetcher``.

    What talks to servers is imported with the first file that is asked for: most builds take
    everything from files, and would wait for it all the same.
    """

    @cached_property
    def _downloader(self) -> Downloader:
        from winimagetools.net.download import Downloader

        return Downloader()

    def fetch(self, url: str, *, sha256: str = "", magic: Sequence[bytes] = ()) -> Path:
        """See :meth:`winimagetools.net.download.Downloader.fetch`."""
        return self._downloader.fetch(url, sha256=sha256, magic=magic)

    def fetch_member(self, url: str, member: str) -> bytes:
        """See :meth:`winimagetools.net.download.Downloader.fetch_member`."""
        return self._downloader.fetch_member(url, member)
