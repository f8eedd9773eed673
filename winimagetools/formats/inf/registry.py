"""``AddReg`` lines of an INF as registry values.

Flags and value forms are those of Microsoft's "INF AddReg directive".
"""

from __future__ import annotations

from winimagetools.errors import MediaError
from winimagetools.formats.inf.numbers import read_number
from winimagetools.formats.inf.syntax import InfLine
from winimagetools.plan import RegistryValue

_DELETES = 0x0004
_ONLY_IF_THERE = 0x0020
_KEY_ONLY = 0x0010 | 0x2000
_KINDS = {
    0x00000000: "REG_SZ",
    0x00010000: "REG_MULTI_SZ",
    0x00020000: "REG_EXPAND_SZ",
    0x00000001: "REG_BINARY",
    0x00010001: "REG_DWORD",
    0x00020001: "REG_NONE",
    # A kind without a name of its own: its number in the high word, "binary" in the low one.
    0x00040001: "REG_DWORD",
    0x000B0001: "REG_QWORD",
}


def read_addreg(line: InfLine, name: str) -> tuple[str, RegistryValue | None] | None:
    """The sub-key and value of an ``HKR`` line.

    Args:
        line: ``HKR, [subkey], [value name], [flags], [value]...``
        name: the INF, for messages.

    Returns:
        None for a line about another root, or one that removes something.

    Raises:
        MediaError: flags or value are not of the form they have to be.
    """
    if line.field(0).casefold() != "hkr":
        return None
    try:
        flags = read_number(line.field(3) or "0")
        if flags & (_DELETES | _ONLY_IF_THERE):
            return None
        subkey = line.field(1).strip("\\")
        if flags & _KEY_ONLY:
            return subkey, None
        return subkey, _value(line, flags)
    except ValueError as error:
        raise MediaError(f"{name}, line {line.number}: {error}.") from None


def _value(line: InfLine, flags: int) -> RegistryValue:
    kind = _KINDS.get(flags & 0xFFFF0001)
    if kind is None:
        raise ValueError(f"{line.field(3)} is no known kind of registry value")
    return RegistryValue(line.field(2), kind, _data(kind, line.fields[4:]))


def _data(kind: str, fields: tuple[str, ...]) -> str | int | bytes | tuple[str, ...]:
    if kind == "REG_MULTI_SZ":
        return tuple(item for item in fields if item)
    if kind in ("REG_SZ", "REG_EXPAND_SZ"):
        return fields[0] if fields else ""
    if kind in ("REG_BINARY", "REG_NONE"):
        return bytes(int(item, 16) for item in fields if item)
    return _number(fields, 4 if kind == "REG_DWORD" else 8)


def _number(fields: tuple[str, ...], size: int) -> int:
    """A number, or its bytes from the lowest to the highest in hexadecimal."""
    values = [item for item in fields if item]
    if len(values) > 1:
        return int.from_bytes(bytes(int(item, 16) for item in values[:size]), "little")
    value = read_number(values[0]) if values else 0
    return value & ((1 << size * 8) - 1)
