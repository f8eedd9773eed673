"""Files that tests make and read."""

from __future__ import annotations

from pathlib import Path

from winimagetools.files.sparse import CHUNK


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    """Fill ``folder`` with files by ``/``-separated path."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


def read_files(folder: Path) -> dict[str, bytes]:
    """All files below ``folder`` by ``/``-separated path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write_with_hole(path: Path) -> bytes:
    """Make a file with data, a hole of 4 MiB, data and a hole at its end; its content."""
    content = b"first" + bytes(4 * CHUNK - 5) + b"last" + bytes(CHUNK)
    with path.open("wb") as file:
        file.write(b"first")
        file.seek(4 * CHUNK)
        file.write(b"last")
        file.truncate(len(content))
    return content
