"""``matrix.toml``, read: axes, exceptions, options, targets and limits.

:func:`read_description` finds everything that is wrong with the file and says it in one message.
What the options mean is not looked at here; that is done for each cell, as for any configuration.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from winimagetools.errors import ConfigurationError, IniValueError, Problem
from winimagetools.files.small import read_text
from winimagetools.model import DiskFormat, DiskLayout
from winimagetools.settings.declaration import parse_size
from winimagetools.settings.options import SECTION_OF

AXES = ("medium", "edition", "firmware", "target", "container")
"""What a cell is one of each of, in the order of its name."""
WORKFLOWS = ("cloud", "online", "golden")
"""The workflows a matrix can be of."""
_TOP = ("base", "workflow", "images", "cache", "sign_key", "axes", "options", "exclude", "when")
_TABLES = ("target", "limits")
_AXIS_KEYS = {
    "media": "medium",
    "editions": "edition",
    "firmware": "firmware",
    "targets": "target",
    "containers": "container",
}
_TARGET_KEYS = ("container", "publish", "with", "run", "options")
_LIMITS = ("machines", "memory", "disk", "jobs")
_TAKEN = (
    *("image_path", "wim_file_path", "image_name", "disk_layout", "virtual_disk_format"),
    *("gold_image", "gold_image_path"),
)
"""Options that the matrix sets itself."""


@dataclass(frozen=True)
class Rule:
    """Options for the cells that match.

    Args:
        matching: axis → pattern; all have to match.
        options: ``section.key=value`` texts.
    """

    matching: Mapping[str, str]
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class TargetPlan:
    """Where images of one target go.

    Args:
        name: as in the axis.
        container: the container it takes; empty for each of the axis.
        publish: a target of ``publish``; empty for none.
        parameters: ``NAME=VALUE`` texts for it.
        run: publish; otherwise the commands are written down that do.
        options: ``section.key=value`` texts.
    """

    name: str
    container: str = ""
    publish: str = ""
    parameters: tuple[str, ...] = ()
    run: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits:
    """What the stages may use together; 0 for what the machine has.

    Args:
        machines: virtual machines that run at the same time.
        memory: bytes of memory.
        disk: bytes of disks under construction.
        jobs: stages that run at the same time.
    """

    machines: int = 1
    memory: int = 0
    disk: int = 0
    jobs: int = 0


@dataclass(frozen=True)
class Description:
    """What a matrix file says. Paths are absolute.

    Args:
        path: the file.
        base: the configuration every cell inherits.
        workflow: one of :data:`WORKFLOWS`.
        images: folder of the finished images.
        cache: folder of the stages; None for the usual one.
        sign_key: signs the provenance in the reports; None for nobody.
        media: name → path; empty for the medium of the base configuration.
        axes: axis → values, only those that are given; media by name.
        exclude: cells that match one of them are not made.
        options: ``section.key=value`` texts for every cell.
        rules: those for some cells; later ones win.
        targets: by name.
    """

    path: Path
    base: Path
    workflow: str = "cloud"
    images: Path = Path()
    cache: Path | None = None
    sign_key: Path | None = None
    media: Mapping[str, Path] = field(default_factory=dict)
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exclude: tuple[Mapping[str, str], ...] = ()
    options: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    targets: Mapping[str, TargetPlan] = field(default_factory=dict)
    limits: Limits = Limits()


def read_description(path: Path) -> Description:
    """Read a matrix file.

    Args:
        path: the file; relative paths in it are looked for beside it.

    Raises:
        ConfigurationError: it is missing, no TOML, or says something that cannot be; all
            problems together.
    """
    path = path.absolute()
    reader = _Reader(path, _load(path))
    description = reader.read()
    if reader.problems:
        raise ConfigurationError(reader.problems, str(path))
    return description


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except FileNotFoundError as error:
        missing = Problem("It does not exist.", "winimagetools guide matrix shows how to write it.")
        raise ConfigurationError([missing], str(path)) from error
    except OSError as error:
        unread = Problem(f"It cannot be read: {error.strerror}.", "Give a file you may read.")
        raise ConfigurationError([unread], str(path)) from error
    except (ValueError, RecursionError) as error:  # brackets in brackets without end
        broken = Problem(f"It is no TOML: {error}.", "https://toml.io shows how it is written.")
        raise ConfigurationError([broken], str(path)) from error


class _Reader:
    """Takes a document apart and collects what is wrong with it."""

    def __init__(self, path: Path, document: Mapping[str, Any]) -> None:
        self.path = path
        self.document = document
        self.problems: list[Problem] = []

    def add(self, section: str, key: str, message: str, hint: str) -> None:
        """Something that is wrong with a key of a table."""
        self.problems.append(Problem(message, hint, section, key))

    def read(self) -> Description:
        """The description; of no use when there are problems."""
        self._known(self.document, (*_TOP, *_TABLES), "")
        media = self._media()
        targets = self._targets()
        return Description(
            path=self.path,
            base=self._base(),
            workflow=self._word("workflow", WORKFLOWS),
            images=self._beside(self._text(self.document, "", "images") or "images"),
            cache=self._optional_path("cache"),
            sign_key=self._optional_path("sign_key"),
            media=media,
            axes=self._axes(media, targets),
            exclude=tuple(self._matching("exclude", entry) for entry in self._entries("exclude")),
            options=self._options("options", self._table(self.document, "", "options")),
            rules=tuple(self._rule(entry) for entry in self._entries("when")),
            targets=targets,
            limits=self._limits(),
        )

    def _base(self) -> Path:
        text = self._text(self.document, "", "base")
        if not text and "base" not in self.document:
            self.add("", "base", "No base configuration is named.", 'Write base = "config.ini".')
        base = self._beside(text or "config.ini")
        if text and not base.is_file():
            self.add("", "base", f"The file {base} does not exist.", "Check the path.")
        return base

    def _beside(self, text: str) -> Path:
        return self.path.parent / Path(text).expanduser()

    def _optional_path(self, key: str) -> Path | None:
        text = self._text(self.document, "", key)
        return self._beside(text) if text else None

    def _word(self, key: str, words: tuple[str, ...]) -> str:
        text = (self._text(self.document, "", key) or words[0]).casefold()
        if text not in words:
            self.add("", key, f"{text!r} is none.", f"Choose one of {', '.join(words)}.")
        return text

    def _media(self) -> dict[str, Path]:
        """A list of paths, each called by its file name without the ending, or a table."""
        given = self._table(self.document, "", "axes").get("media", [])
        if isinstance(given, dict):
            named = [(str(name), text) for name, text in given.items()]
        else:
            named = [(Path(str(text)).stem, text) for text in _list(given)]
        media: dict[str, Path] = {}
        for name, text in named:
            if not isinstance(text, str) or not text:
                self.add("axes", "media", "A medium is no path.", "Write paths in quotes.")
            elif name in media:
                hint = 'Name them: media = { first = "a/x.iso", second = "b/x.iso" }.'
                self.add("axes", "media", f"Two media are called {name}.", hint)
            else:
                media[name] = self._beside(text)
        for path in media.values():
            if not path.exists():
                self.add("axes", "media", f"The medium {path} does not exist.", "Check the path.")
        return media

    def _axes(
        self, media: Mapping[str, Path], targets: Mapping[str, TargetPlan]
    ) -> dict[str, tuple[str, ...]]:
        table = self._table(self.document, "", "axes")
        self._known(table, tuple(_AXIS_KEYS), "axes")
        axes: dict[str, tuple[str, ...]] = {}
        for key, axis in _AXIS_KEYS.items():
            if key in table:
                values = tuple(media) if key == "media" else self._words("axes", key, table[key])
                axes[axis] = tuple(dict.fromkeys(self._value(axis, key, text) for text in values))
        if "target" not in axes and targets:
            axes["target"] = tuple(targets)
        for name in axes.get("target", ()):
            if name not in targets:
                hint = f"Add a table [target.{name}], which may be empty."
                self.add("axes", "targets", f"There is no target {name}.", hint)
        return axes

    def _value(self, axis: str, key: str, text: str) -> str:
        """A value of an axis as the configuration writes it."""
        words = {"firmware": [*DiskLayout], "container": [*DiskFormat]}.get(axis)
        if words is None:
            return text
        if text.strip().upper() not in words:
            hint = f"Choose from {', '.join(words)}."
            self.add("axes", key, f"{text!r} is no {axis}.", hint)
        return text.strip().upper()

    def _words(self, section: str, key: str, given: object) -> tuple[str, ...]:
        items = _list(given)
        if not items or not all(isinstance(item, str) and item for item in items):
            self.add(section, key, "It is no list of texts.", f'Write {key} = ["...", "..."].')
            return ()
        return tuple(str(item) for item in items)

    def _targets(self) -> dict[str, TargetPlan]:
        targets: dict[str, TargetPlan] = {}
        for name, table in self._table(self.document, "", "target").items():
            section = f"target.{name}"
            if not isinstance(table, dict):
                self.add("target", name, "It is no table.", f"Write [{section}].")
                continue
            self._known(table, _TARGET_KEYS, section)
            container = self._text(table, section, "container").upper()
            if container and container not in set(DiskFormat):
                hint = f"Choose one of {', '.join(DiskFormat)}."
                self.add(section, "container", f"{container!r} is no container.", hint)
            targets[name] = TargetPlan(
                name,
                container,
                self._text(table, section, "publish"),
                tuple(f"{k}={v}" for k, v in self._table(table, section, "with").items()),
                self._flag(table, section, "run"),
                self._options(section, self._table(table, section, "options")),
            )
        return targets

    def _rule(self, entry: Mapping[str, Any]) -> Rule:
        rest = {key: value for key, value in entry.items() if key != "options"}
        options = self._options("when", self._table(entry, "when", "options"))
        if not options:
            self.add("when", "options", "It has no options.", "Add options = { key = value }.")
        return Rule(self._matching("when", rest), options)

    def _matching(self, section: str, entry: Mapping[str, Any]) -> Mapping[str, str]:
        self._known(entry, AXES, section)
        if not entry:
            self.add(section, "", "It matches everything.", f"Name one of {', '.join(AXES)}.")
        return {axis: self._text(entry, section, axis) for axis in AXES if axis in entry}

    def _options(self, section: str, table: Mapping[str, Any]) -> tuple[str, ...]:
        """Options as ``--set`` takes them; a table in the table is a section."""
        texts: list[str] = []
        for name, value in _flat(table):
            key = name.rpartition(".")[2].casefold()
            if key in _TAKEN:
                hint = "Axes and workflow say it, or the base configuration."
                self.add(section, name, "The matrix sets it for each cell.", hint)
            elif key not in SECTION_OF:
                hint = "winimagetools show-config lists all options."
                self.add(section, name, "There is no such option.", hint)
            elif not isinstance(value, str | int | float):
                self.add(section, name, "It is neither text nor number.", "Write a text.")
            else:
                texts.append(f"{name}={value}")
        return tuple(texts)

    def _limits(self) -> Limits:
        table = self._table(self.document, "", "limits")
        self._known(table, _LIMITS, "limits")
        return Limits(
            machines=self._count(table, "machines", 1),
            memory=self._size(table, "memory"),
            disk=self._size(table, "disk"),
            jobs=self._count(table, "jobs", 0),
        )

    def _count(self, table: Mapping[str, Any], key: str, default: int) -> int:
        value = table.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < default:
            self.add("limits", key, f"{value!r} is no such number.", "Write a number from 1 on.")
            return default
        return value

    def _size(self, table: Mapping[str, Any], key: str) -> int:
        if key not in table:
            return 0
        try:
            return parse_size(str(table[key]))
        except IniValueError as error:
            self.add("limits", key, error.message, error.hint)
            return 0

    def _entries(self, key: str) -> list[Mapping[str, Any]]:
        given = self.document.get(key, [])
        if isinstance(given, list) and all(isinstance(entry, dict) for entry in given):
            return given
        self.add("", key, "It is no list of tables.", f"Write [[{key}]].")
        return []

    def _table(self, table: Mapping[str, Any], section: str, key: str) -> Mapping[str, Any]:
        value = table.get(key, {})
        if isinstance(value, dict):
            return value
        name = f"{section}.{key}".lstrip(".")
        self.add(section, key, "It is no table.", f"Write [{name}], or {key} = {{ ... }}.")
        return {}

    def _text(self, table: Mapping[str, Any], section: str, key: str) -> str:
        value = table.get(key, "")
        if isinstance(value, str):
            return value
        self.add(section, key, "It is no text.", "Write it in quotes.")
        return ""

    def _flag(self, table: Mapping[str, Any], section: str, key: str) -> bool:
        value = table.get(key, False)
        if isinstance(value, bool):
            return value
        self.add(section, key, "It is neither true nor false.", f"Write {key} = true.")
        return False

    def _known(self, table: Mapping[str, Any], names: tuple[str, ...], section: str) -> None:
        for key in table:
            if key not in names:
                hint = f"There {'are' if section else 'can be'} {', '.join(names)}."
                self.add(section, key, "It means nothing here.", hint)


def _list(given: object) -> list[object]:
    return given if isinstance(given, list) else []


def _flat(table: Mapping[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and not section:
            yield from _flat(value, f"{key}.")
        else:
            yield f"{section}{key}", value
