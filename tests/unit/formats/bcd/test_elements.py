"""Elements of a boot configuration store, and the registry edits that write them."""

from __future__ import annotations

import pytest

from winimagetools.formats.bcd import elements as el
from winimagetools.formats.bcd.elements import BcdElement, BcdObject, store_edits
from winimagetools.formats.registry_values import encode
from winimagetools.plan import RegistryEdit, RegistryValue


@pytest.mark.parametrize(
    ("element", "kind", "stored"),
    [
        (BcdElement(el.DEVICE, b"\1\2"), "REG_BINARY", "0102"),
        (BcdElement(el.PATH, "a"), "REG_SZ", "61000000"),
        (BcdElement(el.TIMEOUT, 30), "REG_BINARY", "1e00000000000000"),
        (BcdElement(el.EMS, False), "REG_BINARY", "00"),
        (BcdElement(el.ISOLATED_CONTEXT, True), "REG_BINARY", "01"),
        (BcdElement(el.ALLOWED_IN_MEMORY, (0x15000075,)), "REG_BINARY", "7500001500000000"),
    ],
)
def test_element_formats(element: BcdElement, kind: str, stored: str) -> None:
    """Kind and bytes follow from the format in the element's number."""
    assert element.registry_value.kind == kind
    assert element.registry_value.name == "Element"
    assert encode(element.registry_value).hex() == stored


def test_references_to_objects() -> None:
    """GUIDs are lower-case text in braces, alone or in a list of 80 bytes for one."""
    one = BcdElement(el.RESUME_OBJECT, el.BOOTMGR).registry_value
    many = BcdElement(el.INHERIT, (el.GLOBAL,)).registry_value
    assert (one.kind, one.data) == ("REG_SZ", "{9dea862c-5cdd-4e70-acc1-f32b344d4795}")
    assert (many.kind, many.data) == ("REG_MULTI_SZ", ("{7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e}",))
    assert len(encode(many)) == 80


@pytest.mark.parametrize(
    "element",
    [BcdElement(el.PATH, 1), BcdElement(el.TIMEOUT, True), BcdElement(el.DEVICE, "x")],
)
def test_value_of_another_format_is_refused(element: BcdElement) -> None:
    """A text is no number and a boolean is no integer."""
    with pytest.raises(ValueError, match="no value for a BCD element of format"):
        _ = element.registry_value


def test_edits_of_a_store() -> None:
    """The store says it is a system store; each object has a type and element keys."""
    item = BcdObject(el.BOOTMGR, 0x10100002, (BcdElement(el.TIMEOUT, 5),))
    key = r"Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}"
    five = RegistryValue("Element", "REG_BINARY", b"\5\0\0\0\0\0\0\0")
    assert store_edits([item]) == [
        RegistryEdit(
            "BCD",
            "Description",
            (
                RegistryValue("KeyName", "REG_SZ", "BCD00000000"),
                RegistryValue("System", "REG_DWORD", 1),
                RegistryValue("TreatAsSystem", "REG_DWORD", 1),
            ),
        ),
        RegistryEdit(
            "BCD", rf"{key}\Description", (RegistryValue("Type", "REG_DWORD", 0x10100002),)
        ),
        RegistryEdit("BCD", rf"{key}\Elements"),
        RegistryEdit("BCD", rf"{key}\Elements\25000004", (five,)),
    ]
