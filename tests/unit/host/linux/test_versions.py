"""Versions of what an image is made with."""

from __future__ import annotations

import pytest

from winimagetools.errors import ToolMissingError
from winimagetools.host.linux import versions
from winimagetools.model import DiskFormat, DiskLayout
from winimagetools.plan import Requirements
from winimagetools.run import Tool


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("qemu-img version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\nCopyright 2003", "7.2.22"),
        ("sfdisk from util-linux 2.38.1\n", "2.38.1"),
        ("mcopy (GNU mtools) 4.0.32\n", "4.0.32"),
        ("grub-mkimage (GRUB) 2.06-13+deb12u2\n", "2.06-13+deb12u2"),
        ("TPM emulator version 0.7.1, Copyright (c) 2014", "0.7.1"),
        ("no number", ""),
    ],
)
def test_numbers(said: str, number: str) -> None:
    """As each program says it."""
    assert versions.number_in(said) == number


def test_what_a_request_is_done_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """By layout, and by whether a machine runs; what is missing is left out."""

    def say(tool: Tool) -> str:
        if tool.name == "swtpm":
            raise ToolMissingError(tool.name, tool.package, tool.reason)
        return "1.0"

    monkeypatch.setattr(versions, "program_version", say)
    monkeypatch.setattr(versions, "_library", lambda *_: "a file")
    monkeypatch.setattr(versions, "_firmware", lambda: "code.fd")
    offline = dict(versions.versions(Requirements(DiskLayout.BIOS)))
    assert "grub-mkimage" in offline and "mcopy" not in offline
    assert "qemu-system-x86_64" not in offline
    online = dict(versions.versions(Requirements(DiskLayout.UEFI, vm=True)))
    assert online["qemu-system-x86_64"] == "1.0"
    assert online["UEFI firmware"] == "code.fd"
    assert "swtpm" not in online
    assert "qemu-img" not in online
    needs = Requirements(DiskLayout.UEFI, (DiskFormat.RAW,), existing_disk=True, vm=True)
    golden = dict(versions.versions(needs))
    assert golden["qemu-img"] == "1.0"
    assert "sfdisk" not in golden and golden["libntfs-3g"] == "a file"
