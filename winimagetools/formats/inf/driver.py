r"""What an INF says of a driver: identity, devices, services and files.

Built on the syntax of :mod:`winimagetools.formats.inf.syntax`. Everything is read for one Windows
(:class:`Target`), the way its own installer would pick the sections.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PureWindowsPath

from winimagetools.errors import MediaError
from winimagetools.formats.inf.numbers import read_number
from winimagetools.formats.inf.registry import read_addreg
from winimagetools.formats.inf.syntax import Inf, InfLine, parse_inf
from winimagetools.formats.inf.target import Target, choose_models, choose_section
from winimagetools.plan import RegistryValue

_DATE = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})")
_DIRID = re.compile(r"%?(\d+)%?")
BOOT_START = 0
_FUNCTION_DRIVER = 0x2
"""``SPSVCINST_ASSOCSERVICE``: the service drives the device, it does not only come with it."""
SYSTEM_DRIVERS = 12
r"""DIRID of ``System32\drivers``; 13 is the package's own folder (Windows 10 1709 on)."""


@dataclass(frozen=True)
class Model:
    """One line of a models section: a device and the section that installs it."""

    description: str
    install_section: str
    hardware_id: str
    compatible_ids: tuple[str, ...]


@dataclass(frozen=True)
class Service:
    r"""One service that an INF adds.

    Args:
        name: key below ``Services``.
        service_type: 1 for a kernel driver, 0x10 for a program.
        start_type: 0 boot, 1 system, 2 automatic, 3 on demand, 4 disabled.
        error_control: what Windows does when it cannot start.
        binary: ``ServiceBinary`` as written, such as ``%12%\viostor.sys``.
        group: load order group, may be empty.
        registry: values below the service's key: sub-key (may be empty) and value; None
            as value when only the key is made.
    """

    name: str
    service_type: int
    start_type: int
    error_control: int
    binary: str
    group: str
    registry: tuple[tuple[str, RegistryValue | None], ...] = ()

    @property
    def file_name(self) -> str:
        """Name of the binary, without folder."""
        return _binary_name(self.binary)


@dataclass(frozen=True)
class CopiedFile:
    """A file that the INF copies: name in the package, DIRID and folder it goes to."""

    source: str
    directory: int
    subdirectory: str


@dataclass(frozen=True)
class DriverInf:
    """An INF, ready to be asked about one Windows after the other.

    Args:
        inf: its sections.
        name: what to call it in messages.
    """

    inf: Inf
    name: str

    @classmethod
    def read(cls, data: bytes, name: str) -> DriverInf:
        """Read the bytes of an INF. Raises MediaError when they are none."""
        return cls(parse_inf(data, name), name)

    @property
    def class_name(self) -> str:
        """Device setup class such as ``SCSIAdapter``."""
        return self.inf.value("Version", "Class")

    @property
    def class_guid(self) -> str:
        """``{4d36e97b-e325-11ce-bfc1-08002be10318}`` as written, may be empty."""
        return self.inf.value("Version", "ClassGUID")

    @property
    def provider(self) -> str:
        """Who made it."""
        return self.inf.value("Version", "Provider")

    @property
    def version(self) -> str:
        """The version of ``DriverVer``, such as ``100.95.104.26200``; may be empty."""
        line = self._driver_ver
        return line.field(1) if line else ""

    @property
    def version_key(self) -> tuple[int, ...]:
        """The version as four numbers, to compare and to store."""
        numbers = [int(part) & 0xFFFF for part in re.findall(r"\d{1,9}", self.version)[:4]]
        return (*numbers, *[0] * (4 - len(numbers)))

    @property
    def date(self) -> datetime.date | None:
        """The date of ``DriverVer``; None when there is none that can be read."""
        match = _DATE.match(self._driver_ver.field(0)) if self._driver_ver else None
        if match is None:
            return None
        month, day, year = (int(part) for part in match.groups())
        try:
            return datetime.date(year, month, day)
        except ValueError:
            return None

    @property
    def _driver_ver(self) -> InfLine | None:
        return next(self.inf.entries("Version", "DriverVer"), None)

    @cached_property
    def _decorated(self) -> dict[str, list[str]]:
        """Sections by each name they may be a decorated form of; some INFs have thousands."""
        found: dict[str, list[str]] = {}
        for section in self.inf.sections:
            parts = section.split(".")
            for count in range(1, len(parts) + 1):
                found.setdefault(".".join(parts[:count]), []).append(section)
        return found

    def _chosen(self, name: str, target: Target) -> str | None:
        """The section Windows takes for an install section that is named."""
        return choose_section(name, self._decorated.get(name.casefold(), ()), target)

    def catalogs(self, target: Target) -> tuple[str, ...]:
        """The catalog Windows checks the files against; a decorated one wins over the plain."""
        keys = [line.key.casefold() for line in self.inf.lines("Version")]
        key = choose_section("CatalogFile", keys, target)
        name = self.inf.value("Version", key) if key else ""
        return (name,) if name else ()

    def models(self, target: Target) -> tuple[Model, ...]:
        """The devices this INF installs on ``target``; none when it is not for it."""
        found: list[Model] = []
        # Each once, however often a harmful INF names it.
        for section in {name.casefold(): name for name in self._models_sections(target)}.values():
            found += (_model(line) for line in self.inf.lines(section) if line.key)
        return tuple(found)

    def _models_sections(self, target: Target) -> Iterator[str]:
        for line in self.inf.lines("Manufacturer"):
            base = line.field(0) if line.key else line.field(0).strip()
            decoration = choose_models(line.fields[1:], target)
            if base and decoration is not None:
                yield f"{base}.{decoration}" if decoration else base

    def supports(self, target: Target) -> bool:
        """Whether Windows would take this INF: a device for it, or a ``DefaultInstall``."""
        if any(model.install_section for model in self.models(target)):
            return True
        if self.inf.lines("Manufacturer"):
            return False
        return self._chosen("DefaultInstall", target) is not None

    def install_sections(self, target: Target) -> tuple[str, ...]:
        """The install sections Windows would run on ``target``, each once."""
        names = dict.fromkeys(model.install_section for model in self.models(target))
        if not names:
            names = {"DefaultInstall": None}
        chosen = (self._chosen(name, target) for name in names if name)
        return tuple(dict.fromkeys(section for section in chosen if section))

    def services(self, target: Target) -> tuple[Service, ...]:
        """The services it adds on ``target``. Raises MediaError for a number that is none."""
        return tuple(self._service(line) for line in self._service_lines(target).values())

    def _service_lines(self, target: Target) -> dict[str, InfLine]:
        """The first ``AddService`` of each service by casefolded name; null services are none."""
        found: dict[str, InfLine] = {}
        for section in self.install_sections(target):
            for line in self._add_service(section):
                if line.field(0) and line.field(2):
                    found.setdefault(line.field(0).casefold(), line)
        return found

    def _add_service(self, install_section: str) -> Iterator[InfLine]:
        return self._entries(f"{install_section}.Services", "AddService")

    def _entries(self, section: str, key: str) -> Iterator[InfLine]:
        """The lines of a section that set ``key``, and of those of this INF it ``Needs``."""
        waiting, seen = [section], {section.casefold()}
        while waiting:
            current = waiting.pop(0)
            yield from self.inf.entries(current, key)
            for line in self.inf.entries(current, "Needs"):
                for name in line.fields:
                    if name.casefold() not in seen:
                        seen.add(name.casefold())
                        waiting.append(name)

    def models_of(self, service: str, target: Target) -> tuple[Model, ...]:
        """The devices that a service drives on ``target``.

        Those whose install section adds it with the flag ``SPSVCINST_ASSOCSERVICE`` ("INF
        AddService directive"); a filter that comes along drives none.

        Raises:
            MediaError: the flags of an ``AddService`` are no number.
        """
        driven: dict[str, bool] = {}
        for name in {model.install_section for model in self.models(target)}:
            chosen = self._chosen(name, target) if name else None
            driven[name] = chosen is not None and self._drives(chosen, service)
        return tuple(model for model in self.models(target) if driven[model.install_section])

    def _drives(self, install_section: str, service: str) -> bool:
        return any(
            self._read_number(line.field(1), f"AddService of [{install_section}]", 0)
            & _FUNCTION_DRIVER
            for line in self._add_service(install_section)
            if line.field(0).casefold() == service.casefold()
        )

    def _service(self, line: InfLine) -> Service:
        section = line.field(2)
        entries = self.inf.entries(section, "AddReg")
        addreg = {name.casefold(): name for entry in entries for name in entry.fields}.values()
        values = (read_addreg(item, self.name) for name in addreg for item in self.inf.lines(name))
        return Service(
            name=line.field(0),
            service_type=self._number(section, "ServiceType", 1),
            start_type=self._number(section, "StartType", 3),
            error_control=self._number(section, "ErrorControl", 1),
            binary=self._binary(line),
            group=self.inf.value(section, "LoadOrderGroup"),
            registry=tuple(value for value in values if value is not None),
        )

    def _number(self, section: str, key: str, default: int) -> int:
        return self._read_number(self.inf.value(section, key), f"{key} of [{section}]", default)

    def _read_number(self, text: str, what: str, default: int) -> int:
        try:
            return read_number(text) if text else default
        except ValueError as error:
            raise MediaError(f"{self.name}: {what} is wrong: {error}.") from None

    def copied_files(self, target: Target) -> tuple[CopiedFile, ...]:
        """What ``CopyFiles`` of the install sections copies, and where to."""
        found: dict[CopiedFile, None] = {}
        for section in self.install_sections(target):
            entries = self._entries(section, "CopyFiles")
            names = dict.fromkeys(name for entry in entries for name in entry.fields if name)
            for name in names:
                found.update(dict.fromkeys(self._copied_by(name)))
        return tuple(found)

    def _copied_by(self, name: str) -> Iterator[CopiedFile]:
        directory, subdirectory = self._destination(name)
        if name.startswith("@"):
            yield CopiedFile(name[1:], directory, subdirectory)
            return
        for line in self.inf.lines(name):
            # destination[, source[, temporary[, flags]]]
            source = line.field(1) or line.field(0)
            if source:
                yield CopiedFile(source, directory, subdirectory)

    def _destination(self, section: str) -> tuple[int, str]:
        for key in (section, "DefaultDestDir"):
            line = next(self.inf.entries("DestinationDirs", key), None)
            match = _DIRID.fullmatch(line.field(0)) if line else None
            if line and match:
                return int(match[1]), line.field(1)
        return SYSTEM_DRIVERS, ""

    def source_files(self, target: Target) -> tuple[str, ...]:
        """Every file of the package, ``/``-separated below the INF's own folder.

        From ``SourceDisksFiles`` for this architecture, ``CopyFiles``, the services and the
        catalog.
        """
        places = self._source_places(target)
        names = [item.source for item in self.copied_files(target)]
        names += [_binary_name(self._binary(line)) for line in self._service_lines(target).values()]
        names += self.catalogs(target)
        for name in filter(None, names):
            places.setdefault(name.casefold(), name)
        return tuple(places.values())

    def required_files(self, target: Target) -> tuple[str, ...]:
        """The files of :meth:`source_files` without which Windows does not take the package.

        What ``CopyFiles`` copies, and the catalog. With a ``LayoutFile`` the files that
        ``SourceDisksFiles`` does not list come from Windows itself ("INF Version section"); so
        does a service binary that nothing copies.
        """
        places = self._source_places(target)
        foreign = bool(self.inf.value("Version", "LayoutFile"))
        copied = [item.source for item in self.copied_files(target)]
        names = [name for name in copied if name.casefold() in places or not foreign]
        names += self.catalogs(target)
        return tuple(dict.fromkeys(places.get(name.casefold(), name) for name in names))

    def _binary(self, add_service: InfLine) -> str:
        return self.inf.value(add_service.field(2), "ServiceBinary")

    def _source_places(self, target: Target) -> dict[str, str]:
        found: dict[str, str] = {}
        architecture = target.architecture.value
        for section in (f"SourceDisksFiles.{architecture}", "SourceDisksFiles"):
            for line in self.inf.lines(section):
                if not line.key:
                    continue
                parts = (self._disk_path(line.field(0), architecture), line.field(1), line.key)
                path = "/".join(part.replace("\\", "/").strip("/") for part in parts if part)
                found.setdefault(line.key.casefold(), path)
        return found

    def _disk_path(self, disk: str, architecture: str) -> str:
        """The folder of ``SourceDisksNames``: its fourth value."""
        for section in (f"SourceDisksNames.{architecture}", "SourceDisksNames"):
            line = next(self.inf.entries(section, disk), None)
            if line is not None:
                return line.field(3)
        return ""


def _binary_name(path: str) -> str:
    return PureWindowsPath(path).name


def _model(line: InfLine) -> Model:
    ids = tuple(item for item in line.fields[2:] if item)
    return Model(line.key, line.field(0), line.field(1), ids)
