"""The configuration file: read it, write a new one, write the one for the guest.

What the options are stands in :mod:`winimagetools.settings.options`; how a file is read in
:mod:`winimagetools.ini`. This module puts file, command line and defaults together and
says what it did not take literally.
"""

from __future__ import annotations

import difflib
import os
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from winimagetools import log
from winimagetools.errors import ConfigurationError, IniValueError, Problem, RequestError
from winimagetools.facts.product_key import DEFAULT_KMS_KEY
from winimagetools.formats.ini_document import IniFile
from winimagetools.ini import write_atomically
from winimagetools.model import AgentSource
from winimagetools.settings.check import (
    own_entries,
    own_secrets,
    structure_warnings,
    value_warnings,
)
from winimagetools.settings.declaration import Kind, Option, Origin, Value, written
from winimagetools.settings.findings import Findings
from winimagetools.settings.options import OPTIONS, SECTION_OF, WindowsImageConfig

_COMMENT_WIDTH = 90
_NO_FILE = Problem(
    "It does not exist.",
    "Check the path, or make one with new-config (New-WindowsImageConfig).",
)


def get_available_config_options() -> tuple[Option, ...]:
    """The declarations of all options. Port of ``Get-AvailableConfigOptions``."""
    return OPTIONS


def get_windows_image_config(
    config_file_path: Path | str, *, overrides: Sequence[str] = (), strict: bool = False
) -> WindowsImageConfig:
    """Read a configuration file: command line over file over defaults.

    What the file says is taken as the PowerShell tools would take it; whatever those silently
    ignore is warned about with its line, in the log and in ``config.origin.warnings``. Where
    they go on without the file or with a number they cannot read, this stops.

    Args:
        config_file_path: the file.
        overrides: texts such as ``vm.cpu_count=4`` or ``cpu_count=4``, the last one wins.
        strict: every warning is an error.

    Raises:
        ConfigurationError: the file is missing, a number cannot be read, an override is wrong
            or, with ``strict``, there is something to warn about; all problems together.

    Port of ``Get-WindowsImageConfig``.
    """
    found = read_config(config_file_path, overrides=overrides, strict=strict)
    found.settle()
    return found.config


def read_config(
    config_file_path: Path | str, *, overrides: Sequence[str] = (), strict: bool = False
) -> Findings:
    """Read a configuration file as :func:`get_windows_image_config` does, and go on.

    Options that cannot be read have their defaults; what is wrong with them is in the
    findings, for everything else that is found to join them.

    Raises:
        ConfigurationError: the file is missing or no text.
    """
    path = Path(config_file_path).absolute()
    document = _load(path)
    reader = _Reader(document, structure_warnings(document))
    reader.override(overrides)
    config = reader.read(path)
    _keep_secret(config, own_secrets(document))
    return Findings(config, strict, reader.errors, list(config.origin.warnings))


def _load(path: Path) -> IniFile:
    try:
        document = IniFile.read(path)
    except RequestError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise ConfigurationError([_NO_FILE], str(path)) from error
        raise ConfigurationError([Problem(error.message, error.hint)]) from error
    broken = [
        Problem("The line holds bytes that are no text.", "Write it anew.", line=entry.line)
        for entry in document.undecodable()
    ]
    if broken:
        raise ConfigurationError(broken, str(path))
    return document


def _position(problem: Problem) -> int:
    return problem.line or 0


@dataclass
class _Reader:
    """Collects values, warnings and errors while the options are read one by one."""

    document: IniFile
    warnings: list[Problem]
    errors: list[Problem] = field(default_factory=list)
    overrides: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    explicit: set[str] = field(default_factory=set)

    def override(self, texts: Sequence[str]) -> None:
        """Take over ``section.key=value`` texts of the command line."""
        for text in texts:
            try:
                name, value = _split_override(text)
            except IniValueError as error:
                self.errors.append(Problem(error.message, error.hint))
            else:
                self.overrides[name] = value

    def read(self, path: Path) -> WindowsImageConfig:
        """The configuration; options that cannot be read have their defaults in it."""
        for declared in OPTIONS:
            if declared.name in self.overrides:
                self._take_override(declared, self.overrides[declared.name])
            else:
                self._take_from_file(declared)
        self._check_source()
        lines = MappingProxyType(self.lines)
        own = own_entries(self.document)
        origin = Origin(path, lines, frozenset(self.explicit), own=own)
        config = WindowsImageConfig(**self.values, origin=origin)
        warnings = sorted([*self.warnings, *value_warnings(config)], key=_position)
        return replace(config, origin=replace(origin, warnings=tuple(warnings)))

    def _take_override(self, declared: Option, text: str) -> None:
        try:
            self._set(declared, declared.parse(text))
        except IniValueError as error:
            self.errors.append(_value_problem(declared, error, None))

    def _take_from_file(self, declared: Option) -> None:
        entry = self.document.find(declared.section, declared.name)
        if entry is None or entry.value is None:
            return
        self.lines[declared.name] = entry.line
        try:
            self._set(declared, declared.parse(entry.value))
        except IniValueError as error:
            problem = _value_problem(declared, error, entry.line)
            if declared.kind is Kind.BOOLEAN:
                used = f"{problem.message} The default {declared.default} is used."
                self.warnings.append(replace(problem, message=used))
            else:
                self.errors.append(problem)

    def _set(self, declared: Option, value: Value) -> None:
        if str(value).strip().lower() == DEFAULT_KMS_KEY:
            value = DEFAULT_KMS_KEY
        self.values[declared.name] = value
        self.explicit.add(declared.name)

    def _check_source(self) -> None:
        """To the PowerShell tools every ``source`` they do not know means ``web``."""
        source = self.values.get("source", AgentSource.WEB)
        if source.strip().lower() in set(AgentSource):
            self.values["source"] = source.strip().lower()
            return
        self.values["source"] = AgentSource.WEB.value
        if source:
            message = f"{source!r} is no source of the QEMU guest agent, so web is used."
            hint = "Write web, iso or auto."
            section, line = SECTION_OF["source"], self.lines.get("source")
            self.warnings.append(Problem(message, hint, section, "source", line))


def _value_problem(declared: Option, error: IniValueError, line: int | None) -> Problem:
    return Problem(error.message, error.hint, declared.section, declared.name, line)


def _split_override(text: str) -> tuple[str, str]:
    """Name and value of ``section.key=value``.

    Raises:
        IniValueError: it has no ``=``, or there is no such option in that section.
    """
    path, equals, value = text.partition("=")
    if not equals:
        # Anything else is not shown: it may be a password.
        name = path if path.rpartition(".")[2].lower() in SECTION_OF else "A setting"
        raise IniValueError(f"{name} has no =.", "Write it as section.key=value.")
    section, _, name = path.strip().rpartition(".")
    right = SECTION_OF.get(name.lower())
    if right is None:
        raise IniValueError(f'There is no option "{path.strip()}".', _nearest(name))
    if section and section.lower() != right.lower():
        raise IniValueError(f'There is no option "{path.strip()}".', f"Write {_written_out(name)}.")
    return name.lower(), value


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), SECTION_OF, n=1)
    return f"Did you mean {_written_out(near[0])}?" if near else "show-config lists all options."


def _written_out(name: str) -> str:
    return f"{SECTION_OF[name.lower()]}.{name.lower()}"


def _keep_secret(config: WindowsImageConfig, own: Sequence[str]) -> None:
    for text in own:
        log.add_secret(text)
    for declared in OPTIONS:
        value = getattr(config, declared.name)
        if declared.secret and value != DEFAULT_KMS_KEY:
            log.add_secret(value)
        elif declared.kind is Kind.TEXT:
            log.add_url(value)


def new_windows_image_config(config_file_path: Path | str, *, force: bool = False) -> None:
    """Write a file with every option, its description and its default.

    Port of ``New-WindowsImageConfig``, which replaces a file with a warning: with ``force``
    that is done in one step, without it the file stays, for it may be hours of work. Reading the
    new file gives exactly the defaults.

    Args:
        config_file_path: the file.
        force: replace one that exists.

    Raises:
        RequestError: the file exists, or cannot be written.
    """
    path = Path(config_file_path).absolute()
    if path.exists() and not force:
        raise RequestError(
            f"{path} exists and is not replaced.",
            "Give another name, or add --force to lose what is in it.",
        )
    if path.exists():
        log.warning(f"{path} exists and is written anew.")
    lines = _file_lines()
    write_atomically(path, "".join(line + os.linesep for line in lines).encode())


def _file_lines() -> Iterator[str]:
    section = ""
    for declared in OPTIONS:
        if declared.section != section:
            if section:
                yield ""
            section = declared.section
            yield f"[{section}]"
        yield from comment_lines(declared.help)
        yield f"{declared.name}={written(declared.default)}"


def comment_lines(description: str) -> list[str]:
    """A description as the lines to stand above a key, each starting with ``# ``.

    Port of ``Set-IniComment``. The PowerShell tools write the file again for each comment and may
    put it above another key that begins with the same letters; here it becomes text before
    the file is written.
    """
    return textwrap.wrap(
        description,
        _COMMENT_WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )
