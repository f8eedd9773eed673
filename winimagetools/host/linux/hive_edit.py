r"""Reading and changing the registry hives of an image, without Windows.

Changes are data first (:class:`~winimagetools.plan.RegistryEdit`), then applied.
While a hive is written the file itself stays as it was and so is its own backup: libhivex
changes its copy in memory, that is saved beside the file, checked, read back and compared
with what was meant; only then does it take the file's place, in one rename. Whatever goes
wrong before leaves the hive untouched and nothing beside it. Without a change nothing is
written, so that applying the same edits twice leaves the bytes of the first time.

This module owns that temporary file, as long as a :class:`Hive` is open for writing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from winimagetools.errors import BuildError, MediaError, WinImageError
from winimagetools.formats.regf import MAX_FLAT_VALUE, check_hive, minor_version
from winimagetools.formats.registry_values import decode, encode, type_number
from winimagetools.host.linux.hivex import Hivex, RawValue
from winimagetools.plan import RegistryEdit, RegistryValue

_CURRENT = "currentcontrolset"
_SYSTEM_HIVES = ("SYSTEM", "SOFTWARE", "DEFAULT", "DRIVERS", "COMPONENTS", "SAM", "SECURITY")
_SPLIT_VALUES = 4
"""Minor version since which Windows expects long value data in pieces."""
_Key = tuple[str, ...]
_Values = dict[str, RawValue]
"""What a key holds, by lower-case value name."""


class Hive:
    r"""A hive file that is open, as a context manager.

    Keys are ``\``-separated paths below the root, compared without regard to case; the
    empty path is the root. Leaving the context cleanly saves the changes; an exception
    drops them.

    Args:
        path: the hive file.
        write: allow changes.
        name: what to call it in messages, such as its place in the image; its path when
            empty.

    Raises:
        MediaError: on entering: not a hive, dirty, damaged or cut off.
        ToolMissingError: on entering: libhivex is not installed.
        BuildError: on leaving: the changes could not be saved, or read back otherwise.
    """

    def __init__(self, path: Path, *, write: bool = False, name: str = "") -> None:
        self.path = path
        self.name = name or str(path)
        self.changed = False
        self._write = write
        self._intended: dict[_Key, _Values] = {}

    def __enter__(self) -> Hive:
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise MediaError(f"The registry hive {self.name} cannot be read: {error}.") from error
        check_hive(data, self.name)
        self._long_values = minor_version(data) < _SPLIT_VALUES
        self._library = Hivex(self.path, write=self._write, name=self.name)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self.changed:
                self._save()
        finally:
            self._library.close()

    def exists(self, key: str) -> bool:
        """Whether there is such a key."""
        return self._find(_parts(key)) is not None

    def values(self, key: str = "") -> tuple[RegistryValue, ...]:
        """All values of a key; empty when there is no such key."""
        return tuple(decode(raw.name, raw.type, raw.data) for raw in self._raw(_parts(key)))

    def get(self, key: str, name: str = "") -> RegistryValue | None:
        """One value, the default value for an empty name; None when it does not exist."""
        for value in self.values(key):
            if value.name.lower() == name.lower():
                return value
        return None

    def add_key(self, key: str) -> None:
        """Create a key and its parents; one that exists is left as it is.

        Raises:
            BuildError: a new name is not ASCII: libhivex would sort it where Windows does
                not look.
        """
        node = self._library.root()
        done: _Key = ()
        for part in _parts(key):
            child = self._library.child(node, part)
            done = (*done, part.lower())
            if child is None:
                if not part.isascii():
                    raise BuildError(f"The key {key} cannot be added to {self.name} from Linux.")
                child = self._library.add_child(node, part)
                self._intended[done] = {}
                self.changed = True
            node = child

    def set(self, key: str, value: RegistryValue) -> None:
        """Create or replace a value, and create its key; an equal one is not written again.

        Raises:
            ValueError: the data does not fit the kind.
            BuildError: the value is too long for libhivex, see ``MAX_FLAT_VALUE``.
        """
        new = RawValue(value.name, type_number(value.kind), encode(value))
        self.add_key(key)
        intended = self._touch(_parts(key))
        old = intended.get(new.name.lower())
        if old is not None:
            new = replace(new, name=old.name)
        if old == new:
            return
        self._check_lengths(key, [*intended.values(), new])
        intended[new.name.lower()] = new
        self._library.set_value(self._node(_parts(key)), new)
        self.changed = True

    def _find(self, parts: _Key) -> int | None:
        node: int | None = self._library.root()
        for part in parts:
            if node is None:
                break
            node = self._library.child(node, part)
        return node

    def _node(self, parts: _Key) -> int:
        node = self._find(parts)
        if node is None:
            raise BuildError(f"The key {_path(parts)} has vanished from {self.name}.")
        return node

    def _raw(self, parts: _Key) -> list[RawValue]:
        node = self._find(parts)
        return [] if node is None else self._library.values(node)

    def _touch(self, parts: _Key) -> _Values:
        """What the key shall hold, to be changed by the caller."""
        key = _lower(parts)
        intended = self._intended.get(key)
        if intended is None:
            intended = {raw.name.lower(): raw for raw in self._raw(parts)}
            self._intended[key] = intended
        return intended

    def _check_lengths(self, key: str, values: Sequence[RawValue]) -> None:
        for value in values:
            if len(value.data) > MAX_FLAT_VALUE and not self._long_values:
                raise BuildError(
                    f"The value {value.name!r} of {key} in {self.name} has {len(value.data)} "
                    f"bytes; more than {MAX_FLAT_VALUE} cannot be written from Linux.",
                    "Make this change from within Windows.",
                )

    def _save(self) -> None:
        copy = self.path.with_name(f".{self.path.name}.{uuid4().hex}")
        try:
            self._library.commit(copy)
            self._verify(copy)
            shutil.copymode(self.path, copy)
            _flush(copy)
            copy.replace(self.path)
        except OSError as error:
            raise BuildError(f"The registry hive {self.name} cannot be saved: {error}.") from error
        finally:
            copy.unlink(missing_ok=True)

    def _verify(self, copy: Path) -> None:
        try:
            with Hive(copy, name=self.name) as saved:
                wrong = [key for key, values in self._intended.items() if saved._has(key) != values]
        except WinImageError as error:
            raise BuildError(
                f"The new registry hive for {self.name} is unusable: {error}"
            ) from error
        if wrong:
            raise BuildError(
                f"The registry hive {self.name} was not changed: reading back the new one, the "
                f"key {_path(wrong[0])} does not hold what was written.",
                "This is a fault of libhivex or of this machine; try another libhivex version.",
            )

    def _has(self, key: _Key) -> _Values | None:
        if self._find(key) is None:
            return None
        return {raw.name.lower(): raw for raw in self._raw(key)}


def hive_name(hive: str) -> str:
    r"""What to call a hive below ``Windows\System32\config`` in messages.

    The file that is worked on is a copy with a name that means nothing to anybody.
    """
    return rf"\Windows\System32\config\{hive} in the image"


def apply_edits(path: Path, edits: Sequence[RegistryEdit], name: str = "") -> bool:
    r"""Apply edits to one hive file, all or none.

    Each edit's key is created with its parents and its values are set; other values stay.
    A key below ``CurrentControlSet`` goes into the control set that Windows will use, see
    :func:`control_sets`. Applying the same edits again changes no byte.

    Args:
        path: the hive file.
        edits: edits that are all meant for this hive.
        name: what to call it in messages; when empty, what ``edits`` say that it is.

    Returns:
        Whether anything was changed.

    Raises:
        MediaError: the hive is dirty, damaged, or has no current control set.
        BuildError, ToolMissingError: see :class:`Hive`.
    """
    if not name and edits and edits[0].hive in _SYSTEM_HIVES:
        name = hive_name(edits[0].hive)
    with Hive(path, write=True, name=name) as hive:
        sets = control_sets(hive) if any(_is_current(edit) for edit in edits) else ()
        for edit in in_control_sets(edits, sets):
            hive.add_key(edit.key)
            for value in edit.values:
                hive.set(edit.key, value)
    return hive.changed


def control_sets(hive: Hive) -> tuple[str, ...]:
    r"""The control sets of a SYSTEM hive that the next start may use.

    ``Select\Current`` names the one of the last start, ``Select\Default`` the one of the
    next; they are the same in every image seen, but only the second one counts.

    Raises:
        MediaError: ``Select\Current`` names none that exists.
    """
    sets: list[str] = []
    for name in ("Current", "Default"):
        value = hive.get("Select", name)
        key = f"ControlSet{value.data:03d}" if value and isinstance(value.data, int) else ""
        if key and hive.exists(key) and key not in sets:
            sets.append(key)
        elif name == "Current":
            raise MediaError(
                f"The registry hive {hive.name} does not say which control set is the current one.",
                "Use an image whose SYSTEM hive is undamaged.",
            )
    return tuple(sets)


def in_control_sets(edits: Sequence[RegistryEdit], sets: Sequence[str]) -> Iterator[RegistryEdit]:
    """The edits with ``CurrentControlSet`` replaced by each of ``sets``."""
    for edit in edits:
        if not _is_current(edit):
            yield edit
            continue
        below = _parts(edit.key)[1:]
        yield from (replace(edit, key=_path((name, *below))) for name in sets)


def _is_current(edit: RegistryEdit) -> bool:
    return _lower(_parts(edit.key))[:1] == (_CURRENT,)


def _parts(key: str) -> _Key:
    return tuple(part for part in key.split("\\") if part)


def _path(parts: _Key) -> str:
    return "\\".join(parts)


def _lower(parts: _Key) -> _Key:
    return tuple(part.lower() for part in parts)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
