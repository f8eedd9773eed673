"""Registry values as records and as the bytes a hive stores.

Pure functions. What does not have the shape its kind asks for (a ``REG_DWORD`` of three
bytes, a text of odd length) is kept as bytes, so that writing it back changes nothing.
"""

from __future__ import annotations

from winimagetools.plan import RegistryValue

_KINDS = {
    "REG_NONE": 0,
    "REG_SZ": 1,
    "REG_EXPAND_SZ": 2,
    "REG_BINARY": 3,
    "REG_DWORD": 4,
    "REG_DWORD_BIG_ENDIAN": 5,
    "REG_LINK": 6,
    "REG_MULTI_SZ": 7,
    "REG_RESOURCE_LIST": 8,
    "REG_FULL_RESOURCE_DESCRIPTOR": 9,
    "REG_RESOURCE_REQUIREMENTS_LIST": 10,
    "REG_QWORD": 11,
}
_NAMES = {number: name for name, number in _KINDS.items()}
_UNNAMED = "REG_TYPE_"
"""Device properties use type numbers that have no name, such as 0xffff0012."""
_SIZES = {"REG_DWORD": 4, "REG_QWORD": 8}
_TEXTS = ("REG_SZ", "REG_EXPAND_SZ")


def type_number(kind: str) -> int:
    """The number a hive stores for a kind. Raises ValueError when there is none."""
    if kind.startswith(_UNNAMED):
        return int(kind.removeprefix(_UNNAMED), 16)
    if kind not in _KINDS:
        raise ValueError(f"{kind} is not a kind of registry value")
    return _KINDS[kind]


def encode(value: RegistryValue) -> bytes:
    """The bytes a hive stores for a value.

    Raises:
        ValueError: the data does not fit the kind.
    """
    match value.data:
        case bytes() as data:
            return data
        case int() as number if value.kind in _SIZES:
            return _number_bytes(number, _SIZES[value.kind], value.name)
        case str() as text if value.kind in _TEXTS:
            return _text_bytes(text)
        case tuple() as texts if value.kind == "REG_MULTI_SZ" and all(map(_is_item, texts)):
            return b"".join(map(_text_bytes, texts)) + _text_bytes("")
    raise ValueError(f"{value.data!r} cannot be stored as {value.kind} in value {value.name!r}")


def decode(name: str, number: int, data: bytes) -> RegistryValue:
    """The record for a value of type ``number`` stored as ``data``."""
    kind = _NAMES.get(number, f"{_UNNAMED}{number:08x}")
    value = RegistryValue(name, kind, _decoded(kind, data))
    if encode(value) != data:
        return RegistryValue(name, kind, data)
    return value


def _decoded(kind: str, data: bytes) -> str | int | bytes | tuple[str, ...]:
    if kind in _SIZES and len(data) == _SIZES[kind]:
        return int.from_bytes(data, "little")
    text = data.decode("utf-16-le", "replace")
    if kind in _TEXTS and text.endswith("\0"):
        return text[:-1]
    if kind == "REG_MULTI_SZ" and text.endswith("\0"):
        return tuple(part for part in text.split("\0") if part)
    return data


def _is_item(text: str) -> bool:
    return text != "" and "\0" not in text


def _number_bytes(number: int, size: int, name: str) -> bytes:
    try:
        return number.to_bytes(size, "little")
    except OverflowError:
        raise ValueError(f"{number} does not fit into {size} bytes in value {name!r}") from None


def _text_bytes(text: str) -> bytes:
    return f"{text}\0".encode("utf-16-le")
