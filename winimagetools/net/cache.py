"""Where downloads are kept: one folder for each URL and checksum.

::

    <cache>/<key>/<file name>      complete
    <cache>/<key>/meta.json        ETag and Last-Modified it came with, and its length
    <cache>/<key>/partial/         a download that was cut off: data and meta.json

No two processes ever write to the same file: whoever goes on with a partial download first
takes its folder away by renaming it. The key is a hash, because a URL may hold secrets.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from winimagetools.errors import DownloadError
from winimagetools.files.small import read_json

_ABANDONED = 24 * 3600
"""Seconds without a write after which a partial download belongs to no living process."""


def default_cache() -> Path:
    """The folder for downloads: ``XDG_CACHE_HOME``, ``LOCALAPPDATA`` or ``~/.cache``.

    Raises:
        DownloadError: none of them is known.
    """
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        folder = Path(os.environ.get(variable, ""))
        # The XDG base directory specification wants relative paths ignored.
        if folder.is_absolute():
            return folder / "winimagetools"
    try:
        return Path.home() / ".cache" / "winimagetools"
    except RuntimeError as error:
        raise DownloadError(
            "There is no folder for downloads because this account has no home folder.",
            "Set XDG_CACHE_HOME to a folder that can be written.",
        ) from error


def file_name(url: str) -> str:
    """The file name a URL ends with, made of harmless characters only."""
    last = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    name = re.sub(r"[^A-Za-z0-9._-]", "_", last).lstrip(".")[-100:]
    if not name or name.casefold().startswith(("partial", "meta.json")):
        return f"download-{name}".rstrip("-")
    return name


@dataclass(frozen=True)
class Validators:
    """What a server said about the version of a file (RFC 9110, 8.8), and its bytes in all.

    ``length`` is 0 when the server did not say how long the file is.
    """

    etag: str = ""
    last_modified: str = ""
    length: int = 0

    @property
    def strong(self) -> str:
        """The ETag when it vouches for every byte (8.8.3); a date never does (8.8.2.2)."""
        return self.etag if re.fullmatch(r'"[^"]+"', self.etag) else ""


class Partial:
    """A download that goes on in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"

    @property
    def validators(self) -> Validators:
        """The version of the file the data belongs to."""
        return _read_meta(self.folder / "meta.json")

    @property
    def resumable(self) -> int:
        """Bytes that are here and can be gone on from: of a known version, and not all of it."""
        validators = self.validators
        if not validators.strong or not self.data.is_file():
            return 0
        size = self.data.stat().st_size
        return size if size < validators.length else 0

    def begin(self, validators: Validators) -> None:
        """Forget what is here and note which version of the file comes now."""
        self.data.write_bytes(b"")
        _write_meta(self.folder / "meta.json", validators)

    def discard(self) -> None:
        """Forget what is here."""
        self.data.unlink(missing_ok=True)


class CachedFile:
    """The place of one download.

    Args:
        cache: the cache folder.
        url: where it comes from.
        sha256: the checksum asked for, empty when none.
    """

    def __init__(self, cache: Path, url: str, sha256: str) -> None:
        key = hashlib.sha256(f"{url}\n{sha256}".encode()).hexdigest()[:32]
        self.folder = cache / key
        self.file = self.folder / file_name(url)

    @property
    def validators(self) -> Validators:
        """The version of the complete file; none when the file has another length by now."""
        validators = _read_meta(self.folder / "meta.json")
        whole = self.file.is_file() and self.file.stat().st_size == validators.length
        return validators if whole else Validators()

    @contextmanager
    def partial(self) -> Iterator[Partial]:
        """A partial download only this process writes to; kept when it can be resumed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._remove_abandoned()
        own = self.folder / f"partial-{uuid.uuid4().hex}"
        try:
            (self.folder / "partial").rename(own)
        except FileNotFoundError:
            # With its parents: whoever else downloads this may just have removed an empty one.
            own.mkdir(parents=True)
        partial = Partial(own)
        try:
            yield partial
        finally:
            if partial.resumable:
                # Another process may have left one meanwhile; then theirs stays.
                with suppress(OSError):
                    own.rename(self.folder / "partial")
            shutil.rmtree(own, ignore_errors=True)
            with suppress(OSError):  # there is something in it
                self.folder.rmdir()

    def commit(self, partial: Partial) -> Path:
        """Make a partial download, now whole and checked, the complete file."""
        length = partial.data.stat().st_size
        validators = replace(partial.validators, length=length)
        partial.data.replace(self.file)
        # After the file: the other way round, a crash between would leave an old file that
        # passes for the new version.
        _write_meta(self.folder / "meta.json", validators)
        return self.file

    def _remove_abandoned(self) -> None:
        for folder in self.folder.glob("partial-*"):
            with suppress(OSError):
                newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
                if time.time() - newest > _ABANDONED:
                    shutil.rmtree(folder, ignore_errors=True)


def _read_meta(path: Path) -> Validators:
    try:
        meta = read_json(path)
        return Validators(str(meta["etag"]), str(meta["last_modified"]), int(meta["length"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return Validators()


def _write_meta(path: Path, validators: Validators) -> None:
    new = path.with_name(f"{path.name}-{uuid.uuid4().hex}")
    new.write_text(json.dumps(asdict(validators)), encoding="utf-8")
    new.replace(path)
