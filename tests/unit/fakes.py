"""In-memory doubles of the contracts in :mod:`winimagetools.contract`."""
# ruff: noqa: D102 - the protocols document their methods

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from winimagetools.errors import ChecksumError, DownloadError, MediaError
from winimagetools.host.carry_out import change_files
from winimagetools.net.content import extract_member
from winimagetools.plan import FileChange


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.replace("\\", "/").split("/") if part)


def _key(path: str) -> str:
    return "/".join(_parts(path)).casefold()


class MemoryTree:
    """A ``WindowsTree`` kept in memory; ``content`` shows files as ``{path: bytes}``."""

    def __init__(self, content: Mapping[str, bytes] | None = None) -> None:
        self._names: dict[str, str] = {}
        self._files: dict[str, bytes] = {}
        for path, data in (content or {}).items():
            self._add(path, data)

    @property
    def content(self) -> dict[str, bytes]:
        """All files, paths ``/``-separated as they were first spelled."""
        return {self._spelled(key): self._files[key] for key in sorted(self._files)}

    def _spelled(self, key: str) -> str:
        parts = key.split("/")
        keys = ("/".join(parts[: depth + 1]) for depth in range(len(parts)))
        return "/".join(self._names[key] for key in keys)

    def _add_name(self, path: str) -> str:
        parts = _parts(path)
        for depth in range(1, len(parts) + 1):
            self._names.setdefault("/".join(parts[:depth]).casefold(), parts[depth - 1])
        return _key(path)

    def exists(self, path: str) -> bool:
        return not _key(path) or _key(path) in self._names

    def is_dir(self, path: str) -> bool:
        return self.exists(path) and _key(path) not in self._files

    def list_dir(self, path: str) -> Sequence[str]:
        parent = _key(path)
        return sorted(name for key, name in self._names.items() if key.rpartition("/")[0] == parent)

    def read_bytes(self, path: str) -> bytes:
        try:
            return self._files[_key(path)]
        except KeyError:
            raise FileNotFoundError(path) from None

    def write_bytes(self, path: str, data: bytes) -> None:
        self._add(path, data)

    def _add(self, path: str, data: bytes) -> None:
        self._files[self._add_name(path)] = data

    def copy_in(self, source: Path, path: str) -> None:
        if source.is_dir():
            self._add_name(path)
            for child in sorted(source.iterdir()):
                self.copy_in(child, f"{path}/{child.name}")
        else:
            self.write_bytes(path, source.read_bytes())

    def remove(self, path: str) -> None:
        gone = _key(path)
        for key in [key for key in self._names if key == gone or key.startswith(gone + "/")]:
            del self._names[key]
            self._files.pop(key, None)

    @contextmanager
    def edit(self, path: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder, "file")
            local.write_bytes(self.read_bytes(path))
            yield local
            self.write_bytes(path, local.read_bytes())


class MemorySource:
    """A ``SourceTree`` kept in memory."""

    def __init__(self, content: Mapping[str, bytes], name: str = "virtio-win.iso") -> None:
        self.name = name
        self._content = dict(content)

    def files(self) -> Sequence[str]:
        return sorted(self._content)

    def find(self, path: str) -> str | None:
        spelled = {_key(known): known for known in self._content}
        return spelled.get(_key(path))

    def size(self, path: str) -> int:
        return len(self.read_bytes(path))

    def read_bytes(self, path: str) -> bytes:
        found = self.find(path)
        if found is None:
            raise MediaError(f"{path} is not on {self.name}.")
        return self._content[found]

    def copy_out(self, path: str, destination: Path) -> None:
        destination.write_bytes(self.read_bytes(path))

    def local_folder(self, path: str) -> Path | None:
        return None

    def lose(self, path: str) -> None:
        """Become damaged: a file can be found no more."""
        del self._content[path]


class FakeFetcher:
    """A ``Fetcher`` that serves ``{url: bytes}`` and keeps every URL asked for in ``asked``."""

    def __init__(self, folder: Path, content: Mapping[str, bytes] | None = None) -> None:
        self.asked: list[str] = []
        self.checked: list[str] = []
        self._folder = folder
        self._content = dict(content or {})

    def fetch_member(self, url: str, member: str) -> bytes:
        return extract_member(self.fetch(url), url, member)

    def fetch(self, url: str, *, sha256: str = "", magic: Sequence[bytes] = ()) -> Path:
        self.asked.append(url)
        if url not in self._content:
            raise DownloadError(f"{url} answered 404.")
        data = self._content[url]
        if sha256:
            self.checked.append(url)
            if hashlib.sha256(data).hexdigest() != sha256.casefold():
                raise ChecksumError(f"{url} does not have the SHA-256 {sha256}.")
        if magic and not data.startswith(tuple(magic)):
            raise DownloadError(f"{url} delivered something else.")
        path = self._folder / f"download-{len(self.asked)}"
        path.write_bytes(data)
        return path


def put(
    changes: FileChange | Sequence[FileChange],
    tree: MemoryTree | None = None,
    fetcher: FakeFetcher | None = None,
) -> dict[str, bytes]:
    """What a volume holds after planned changes; a fetcher that has nothing by default."""
    tree = MemoryTree() if tree is None else tree
    several = changes if isinstance(changes, Sequence) else [changes]
    change_files(tree, several, fetcher or FakeFetcher(Path()))
    return tree.content
