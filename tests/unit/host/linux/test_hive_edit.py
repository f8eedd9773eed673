"""Where in a hive an edit goes."""

from __future__ import annotations

from winimagetools.host.linux.hive_edit import in_control_sets
from winimagetools.plan import RegistryEdit, RegistryValue


def test_current_control_set_is_every_set_that_may_start() -> None:
    """Only a first part of that name is replaced, in any letter case."""
    value = (RegistryValue("Start", "REG_DWORD", 0),)
    edits = [
        RegistryEdit("SYSTEM", r"currentcontrolset\Services\x", value),
        RegistryEdit("SYSTEM", r"Setup\CurrentControlSet", value),
        RegistryEdit("SYSTEM", "CurrentControlSet"),
    ]
    assert list(in_control_sets(edits, ["ControlSet001", "ControlSet003"])) == [
        RegistryEdit("SYSTEM", r"ControlSet001\Services\x", value),
        RegistryEdit("SYSTEM", r"ControlSet003\Services\x", value),
        RegistryEdit("SYSTEM", r"Setup\CurrentControlSet", value),
        RegistryEdit("SYSTEM", "ControlSet001"),
        RegistryEdit("SYSTEM", "ControlSet003"),
    ]
