"""The folder of finished stages, which several builders may share.

::

    <cache>/key                     32 random bytes; seals secrets in the names of stages
    <cache>/digests/                SHA-256 of inputs, by path, size, time and inode
    <cache>/stages/KIND-SHA256/     a finished stage: its file, its report and record.json
    <cache>/claims/KIND-SHA256/     somebody makes it at the moment
    <cache>/work/                   what is being made, and what is being removed

A stage appears by renaming its folder, so it is complete or not there, and of two builders that
made the same one the first wins. That takes a file system on which renaming a folder is atomic,
as it is on local ones and on NFS; no lock of the operating system is used.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from winimagetools.errors import BuildError, HostError
from winimagetools.files.build_folder import alone_in
from winimagetools.files.hash import sha256_of
from winimagetools.files.small import read_json
from winimagetools.matrix.digests import FileDigests, content_digest

RECORD = "record.json"
_USED = "used"
_KEY, _KEY_SIZE = "key", 32


class State(StrEnum):
    """What there is of a stage."""

    INTACT = "intact"
    MISSING = "missing"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class StageName:
    """A stage and the SHA-256 of everything that went into it."""

    kind: str
    digest: str

    def __str__(self) -> str:
        return f"{self.kind}-{self.digest}"

    @classmethod
    def parse(cls, text: str) -> StageName:
        """From the name of its folder. Raises ValueError."""
        kind, dash, digest = text.partition("-")
        if not dash or len(digest) != 64:
            raise ValueError(f"{text!r} is no name of a stage")
        return cls(kind, digest)


@dataclass(frozen=True)
class Record:
    """What is known of a finished stage.

    Args:
        file: its file: a name in its folder, or the absolute path of a delivered image; empty
            when there is none.
        size: bytes.
        modified: time of the last write, in nanoseconds.
        inode: number of the file.
        content: see :func:`winimagetools.matrix.digests.content_digest`; empty where ``sha256``
            says as much.
        sha256: of the whole file; empty where it was not computed.
        seconds: it took so long.
        finished: seconds since 1970.
        parts: what went into it, by name; secrets are sealed.
    """

    file: str = ""
    size: int = 0
    modified: int = 0
    inode: int = 0
    content: str = ""
    sha256: str = ""
    seconds: float = 0.0
    finished: float = 0.0
    parts: dict[str, str] = field(default_factory=dict)


def record_of(
    file: Path,
    shown: str,
    *,
    seconds: float,
    parts: dict[str, str],
    sha256: str = "",
    content: str = "",
) -> Record:
    """The record of a stage whose file is complete.

    Args:
        file: where it is now.
        shown: its name in the record.
        seconds: it took so long.
        parts: what went into it.
        sha256: of the whole file, when it is known.
        content: its :func:`content_digest`, when that is known; without either the file is read.
    """
    status = file.stat()
    return Record(
        file=shown,
        size=status.st_size,
        modified=status.st_mtime_ns,
        inode=status.st_ino,
        content="" if sha256 else content or content_digest(file),
        sha256=sha256,
        seconds=seconds,
        finished=time.time(),
        parts=parts,
    )


class StageStore:
    """Finished stages.

    Args:
        root: the cache folder; it is made, for its owner only: disks hold passwords.

    Raises:
        HostError: it cannot be written, or holds something else.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.stages = self.root / "stages"
        self.claims = self.root / "claims"
        self.work = self.root / "work"
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            _refuse_others(self.root)
            self.key = _key(self.root / _KEY)
            for folder in (self.stages, self.claims, self.work):
                folder.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise HostError(
                f"The folder for stages {self.root} cannot be used: {error.strerror}.",
                "Let cache in the matrix file, or --cache, name a folder you may write to.",
            ) from error
        self.digests = FileDigests(self.root / "digests")

    def folder(self, name: StageName) -> Path:
        """Where a stage is, or would be."""
        return self.stages / str(name)

    def record(self, name: StageName) -> Record | None:
        """What is known of a stage; None when there is none."""
        try:
            fields = read_json(self.folder(name) / RECORD)
            return Record(**fields)
        except (OSError, ValueError, TypeError):
            return None

    def file(self, name: StageName, record: Record) -> Path:
        """The file of a stage."""
        return self.folder(name) / record.file

    def state(self, name: StageName, *, thorough: bool = False) -> State:
        """Whether a stage can be used.

        Args:
            name: the stage.
            thorough: read its file also when nothing shows that it changed.
        """
        record = self.record(name)
        if record is None:
            return State.DAMAGED if self._is_broken(name) else State.MISSING
        if not record.file:
            return State.INTACT
        try:
            status = self.file(name, record).stat()
        except OSError:
            return State.MISSING
        same = (record.size, record.modified, record.inode) == (
            status.st_size,
            status.st_mtime_ns,
            status.st_ino,
        )
        if same and not thorough:
            return State.INTACT
        if record.size != status.st_size:
            return State.DAMAGED
        return State.INTACT if _has_content(self.file(name, record), record) else State.DAMAGED

    def _is_broken(self, name: StageName) -> bool:
        folder = self.folder(name)
        return folder.is_dir() and any(folder.iterdir())

    def use(self, name: StageName) -> Path:
        """The file of an intact stage, which from now on counts as used.

        Raises:
            BuildError: it is gone, or damaged.
        """
        record = self.record(name)
        if record is None or self.state(name) is not State.INTACT:
            raise BuildError(f"The stage {name} is gone.", "Run the matrix again.")
        with suppress(OSError):
            (self.folder(name) / _USED).touch()
        return self.file(name, record)

    @contextmanager
    def private(self, name: StageName) -> Iterator[Path]:
        """A folder to make a stage in, removed afterwards unless it became the stage."""
        folder = self.work / f"{name}.{uuid.uuid4().hex}"
        folder.mkdir(mode=0o700)
        try:
            with alone_in(folder):
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def clear_work(self, name: StageName) -> None:
        """Remove what a builder that was killed has left; for the owner of its claim."""
        for folder in self.work.glob(f"{name}.*"):
            shutil.rmtree(folder, ignore_errors=True)

    def commit(self, name: StageName, folder: Path, record: Record) -> None:
        """Let a private folder become a stage; one that is there and intact stays.

        Raises:
            BuildError: it cannot be put there.
        """
        text = json.dumps(asdict(record), indent=2, sort_keys=True)
        with (folder / RECORD).open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        for _ in range(10):
            try:
                folder.rename(self.folder(name))
            except OSError:
                # Also when NFS repeats a request that was done: then it is there and intact.
                if self.state(name) is State.INTACT:
                    return
                self.remove(name)
            else:
                return
        raise BuildError(
            f"The stage {name} cannot be put into {self.stages}.", "Look at the folder's rights."
        )

    def remove(self, name: StageName) -> None:
        """Take a stage away at once; what it was is deleted afterwards."""
        aside = self.work / f"removed-{uuid.uuid4().hex}"
        with suppress(OSError):
            self.folder(name).rename(aside)
        shutil.rmtree(aside, ignore_errors=True)

    def names(self) -> list[StageName]:
        """All stages there are."""
        found: list[StageName] = []
        for folder in sorted(self.stages.iterdir()):
            with suppress(ValueError):
                found.append(StageName.parse(folder.name))
        return found

    def last_used(self, name: StageName) -> float:
        """Seconds since 1970."""
        folder = self.folder(name)
        for file in (folder / _USED, folder / RECORD, folder):
            with suppress(OSError):
                return file.stat().st_mtime
        return 0.0

    def occupied(self, name: StageName) -> int:
        """Bytes it takes on its disk; an image that was delivered does not count."""
        total = 0
        for root, _, files in os.walk(self.folder(name)):
            for file in files:
                with suppress(OSError):
                    status = Path(root, file).lstat()
                    total += getattr(status, "st_blocks", status.st_size // 512) * 512
        return total


def _has_content(file: Path, record: Record) -> bool:
    """Whether a file holds what it held; False for a record that does not know."""
    if record.sha256:
        return sha256_of(file) == record.sha256
    return bool(record.content) and content_digest(file) == record.content


def _refuse_others(root: Path) -> None:
    """Refuse a folder with other things in it: what is left over in ``work`` is removed.

    Raises:
        HostError: it has no key, and something whose name does not begin with a dot.
    """
    names = {path.name for path in root.iterdir() if not path.name.startswith(".")}
    if names - {"lost+found"} and not (root / _KEY).is_file():
        raise HostError(
            f"{root} holds something else than stages.",
            "Let cache in the matrix file, or --cache, name a folder of its own.",
        )


def _key(path: Path) -> bytes:
    """The key of a cache, made once; of two that make it at the same time the first wins."""
    if not path.exists():
        new = path.with_name(f".key-{uuid.uuid4().hex}")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_KEY_SIZE))
        try:
            os.link(new, path)
        except FileExistsError:
            pass
        finally:
            new.unlink()
    return path.read_bytes()
