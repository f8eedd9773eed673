"""Which UEFI firmware QEMU starts with, as the distribution describes it.

Distributions describe what they ship in JSON files whose format QEMU defines
(``docs/interop/firmware.json``); where the files lie differs, the descriptions do not. The
folders, and that a file of the same name in an earlier one wins, are those of the same page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from winimagetools.errors import ToolMissingError
from winimagetools.files.small import read_json

FOLDERS = (Path("/etc/qemu/firmware"), Path("/usr/share/qemu/firmware"))
_MACHINE = "pc-q35-"


@dataclass(frozen=True)
class Firmware:
    """A UEFI firmware for the q35 machine of x86-64.

    Args:
        code: its program, which is never written to.
        variables: what its variables are in the beginning.
        secure_boot: whether it can do Secure Boot.
        enrolled: whether the keys of an authority are in the variables, so that it does.
        smm: whether it wants the system management mode, which guards the variables.
    """

    code: Path
    variables: Path
    secure_boot: bool
    enrolled: bool
    smm: bool


def read_firmware(folders: Sequence[Path] = FOLDERS) -> list[Firmware]:
    """Every firmware that is described and there, in the order the distribution prefers."""
    descriptions: dict[str, Path] = {}
    for folder in reversed(folders):
        descriptions |= {path.name: path for path in folder.glob("*.json")}
    found = (_parse(descriptions[name]) for name in sorted(descriptions))
    return [item for item in found if item is not None]


def choose_firmware(
    available: Sequence[Firmware], *, secure_boot: bool, certificate: str = ""
) -> Firmware:
    """The first firmware that does Secure Boot with keys in it, or none of it.

    Args:
        available: in the order the distribution prefers.
        secure_boot: whether Secure Boot is wanted.
        certificate: one that it is to know; where none does, it does not count.

    Raises:
        ToolMissingError: there is none.
    """
    fitting = [item for item in available if item.enrolled == secure_boot == item.secure_boot]
    if secure_boot and certificate:
        fitting.sort(key=lambda item: not trusts(item, certificate))
    if fitting:
        return fitting[0]
    wanted = "with Secure Boot and its keys" if secure_boot else "without Secure Boot"
    raise ToolMissingError("OVMF", "ovmf", f"start UEFI machines {wanted}")


def trusts(firmware: Firmware, certificate: str) -> bool:
    """Whether the variables of a firmware hold a certificate of that name.

    They hold it as it was issued, with its name in ASCII or UTF-16 (UEFI 2.10, 32.4.1).
    """
    try:
        variables = firmware.variables.read_bytes()
    except OSError:
        return False
    return certificate.encode("ascii") in variables or certificate.encode("utf-16-be") in variables


def _parse(path: Path) -> Firmware | None:
    """A description; None when it is of another machine, unreadable, or of what is not there."""
    try:
        about = read_json(path)
        item = _firmware(about) if _fits(about) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return item if item and item.code.is_file() and item.variables.is_file() else None


def _fits(about: Any) -> bool:
    mapping = about["mapping"]
    return (
        "uefi" in about["interface-types"]
        and mapping["device"] == "flash"
        and mapping["executable"]["format"] == mapping["nvram-template"]["format"] == "raw"
        and any(
            target["architecture"] == "x86_64"
            and any(name.startswith(_MACHINE) for name in target["machines"])
            for target in about["targets"]
        )
    )


def _firmware(about: Any) -> Firmware:
    mapping, features = about["mapping"], about["features"]
    return Firmware(
        code=Path(mapping["executable"]["filename"]),
        variables=Path(mapping["nvram-template"]["filename"]),
        secure_boot="secure-boot" in features,
        enrolled="enrolled-keys" in features,
        smm="requires-smm" in features,
    )
