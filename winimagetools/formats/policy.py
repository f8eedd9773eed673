r"""Local group policy files: ``Registry.pol`` and ``gpt.ini``, as bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from winimagetools.plan import RegistryValue

POLICY_FOLDER = r"Windows\System32\GroupPolicy"
USER_POLICY = rf"{POLICY_FOLDER}\User\Registry.pol"
POLICY_INDEX = rf"{POLICY_FOLDER}\gpt.ini"
_HEADER = b"PReg" + struct.pack("<I", 1)
_KINDS = {"REG_NONE": 0, "REG_SZ": 1, "REG_EXPAND_SZ": 2, "REG_BINARY": 3, "REG_DWORD": 4}
_KINDS |= {"REG_MULTI_SZ": 7, "REG_QWORD": 11}
_USER_EXTENSIONS = "[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}{D02B1F73-3407-48AE-BA88-E8213C6761F1}]"
"""The registry client-side extension and the editor of user templates."""
_USER_VERSION = 3 << 16
"""Version number 3 of the user half; the lower half counts changes for computers."""


@dataclass(frozen=True)
class PolicyEntry:
    """One registry value a policy sets, in the key below HKCU or HKLM."""

    key: str
    value: RegistryValue


def registry_pol(entries: Sequence[PolicyEntry]) -> bytes:
    """The content of a ``Registry.pol`` file ([MS-GPREG] 2.2.1).

    Raises:
        ValueError: a value's data does not fit its kind.
    """
    return _HEADER + b"".join(_entry(entry) for entry in entries)


def _entry(entry: PolicyEntry) -> bytes:
    data = _data(entry.value)
    fields = (
        _text(entry.key),
        _text(entry.value.name),
        struct.pack("<I", _KINDS[entry.value.kind]),
        struct.pack("<I", len(data)),
        data,
    )
    return "[".encode("utf-16-le") + ";".encode("utf-16-le").join(fields) + "]".encode("utf-16-le")


def _text(text: str) -> bytes:
    return f"{text}\0".encode("utf-16-le")


def _data(value: RegistryValue) -> bytes:
    match value.kind, value.data:
        case (("REG_SZ" | "REG_EXPAND_SZ"), str(text)):
            return _text(text)
        case "REG_MULTI_SZ", tuple(texts):
            return b"".join(_text(text) for text in texts) + b"\0\0"
        case "REG_DWORD", int(number):
            return struct.pack("<I", number)
        case "REG_QWORD", int(number):
            return struct.pack("<Q", number)
        case (("REG_BINARY" | "REG_NONE"), bytes(data)):
            return data
    raise ValueError(f"{value.data!r} cannot be stored as {value.kind}.")


def user_policy_index() -> bytes:
    """``gpt.ini`` of a local policy with a registry part for users only."""
    lines = (
        "[General]",
        f"gPCUserExtensionNames={_USER_EXTENSIONS}",
        f"Version={_USER_VERSION}",
    )
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")
