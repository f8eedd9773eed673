r"""Looking into a finished image: what it is, what is in its folders, files taken out of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from winimagetools import log
from winimagetools.checks.description import Description, describe_image
from winimagetools.checks.subject import RangedTree, Subject
from winimagetools.contract import Host
from winimagetools.errors import BuildError, RequestError
from winimagetools.files.access import private_opener
from winimagetools.files.names import name_fault
from winimagetools.files.space import room_for
from winimagetools.host import select_host
from winimagetools.workflows.opened import opened_image

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Listed:
    """A name in a folder of an image; ``size`` is None for all but files that can be read."""

    name: str
    size: int | None


@dataclass(frozen=True)
class _Wanted:
    """A file or folder in an image, and where its copy goes."""

    inside: str
    path: Path
    is_folder: bool


def split_place(text: str) -> tuple[Path, str]:
    r"""An image and a path inside, from ``image.qcow2:\Windows\win.ini``.

    The path inside is empty for the root of the Windows volume, and when there is none.
    """
    at = max(text.rfind(":\\"), text.rfind(":/"))
    if at > 1 and not Path(text).is_file():
        return Path(text[:at]), text[at + 2 :].strip("\\/")
    return Path(text.removesuffix(":") if not Path(text).exists() else text), ""


def inspect_image(path: Path | str, *, host: Host | None = None) -> Description:
    """What is in an image.

    Args:
        path: an image of any container, wrapped or not.
        host: the machine to work on; this one by default.

    Raises:
        MediaError: it holds no Windows that can be looked at.
    """
    with opened_image(host or select_host(), Path(path)) as subject:
        return describe_image(subject)


def list_folder(place: str, *, host: Host | None = None) -> list[Listed]:
    r"""What is in a folder of an image, or the one file that is named.

    Args:
        place: such as ``image.qcow2:\Windows\Panther``.
        host: the machine to work on; this one by default.

    Raises:
        MediaError: the image holds no Windows that can be looked at.
        RequestError: there is no such folder or file.
    """
    image, inside = split_place(place)
    with opened_image(host or select_host(), image) as subject:
        tree = subject.tree
        _must_exist(subject, inside)
        if not tree.is_dir(inside):
            return [Listed(inside.replace("/", "\\").rpartition("\\")[2], _size(subject, inside))]
        names = tree.list_dir(inside)
        return [Listed(name, _size(subject, _join(inside, name))) for name in names]


def copy_out(place: str, destination: Path | str, *, host: Host | None = None) -> list[Path]:
    r"""Take a file, or everything in a folder, out of an image.

    Only their owner can read the copies: an image holds secrets.

    Args:
        place: such as ``image.qcow2:\Windows\Panther``.
        destination: a folder; it is made when it is missing.
        host: the machine to work on; this one by default.

    Returns:
        The files that were made.

    Raises:
        MediaError: the image holds no Windows that can be looked at.
        RequestError: there is nothing of that name, or a file is in the way.
        DiskFullError: no room for a copy.
    """
    image, inside = split_place(place)
    folder = Path(destination)
    with opened_image(host or select_host(), image) as subject:
        _must_exist(subject, inside)
        name = inside.replace("\\", "/").rpartition("/")[2]
        wanted = list(_below(subject, inside, folder / name))
        for item in wanted:
            if item.path.exists() and not (item.is_folder and item.path.is_dir()):
                raise RequestError(f"{item.path} exists already.", "Name another folder.")
        return [item.path for item in wanted if _take(subject, item)]


def _below(subject: Subject, inside: str, target: Path) -> Iterator[_Wanted]:
    is_folder = subject.tree.is_dir(inside)
    yield _Wanted(inside, target, is_folder)
    if not is_folder:
        return
    for name in subject.tree.list_dir(inside):
        # A slash in a name, which no Windows makes, would lead out of the folder.
        if fault := name_fault(name):
            log.warning(f"{_join(inside, name)!r} is left out: its name {fault}.")
            continue
        yield from _below(subject, _join(inside, name), target / name)


def _take(subject: Subject, wanted: _Wanted) -> bool:
    """Whether a file was made; a link or an encrypted file is left out with a warning."""
    path = wanted.path
    if wanted.is_folder:
        path.mkdir(parents=True, exist_ok=True)
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with room_for(path), open(path, "xb", opener=private_opener) as file:
            for part in _parts(subject, wanted.inside):
                file.write(part)
    except BuildError as error:
        path.unlink(missing_ok=True)
        if type(error) is not BuildError:
            raise
        log.warning(error.message)
        return False
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return True


def _parts(subject: Subject, inside: str) -> Iterator[bytes]:
    if not isinstance(subject.tree, RangedTree):
        yield subject.tree.read_bytes(inside)
        return
    with subject.tree.open_file(inside) as (size, read):
        for at in range(0, size, _CHUNK):
            yield read(at, _CHUNK)


def _must_exist(subject: Subject, inside: str) -> None:
    if not subject.tree.exists(inside):
        raise RequestError(
            f"There is no \\{inside} in {subject.path}.", "See what there is with winimagetools ls."
        )


def _size(subject: Subject, inside: str) -> int | None:
    try:
        if subject.tree.is_dir(inside):
            return None
        if isinstance(subject.tree, RangedTree):
            with subject.tree.open_file(inside) as (size, _):
                return size
        return len(subject.tree.read_bytes(inside))
    except (BuildError, FileNotFoundError):
        return None


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
