from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from winimagetools.errors import ToolMissingError
from winimagetools.host.linux.qemu.firmware import (
    Firmware,
    choose_firmware,
    read_firmware,
    trusts,
)


def describe(folder: Path, name: str, *features: str, **changes: Any) -> Path:
    """Describe a firmware that is there, as distributions do; returns the description."""
    folder.mkdir(exist_ok=True)
    for kind in ("code", "vars"):
        (folder / f"{name}.{kind}").touch()
    about = {
        "interface-types": ["uefi"],
        "mapping": {
            "device": "flash",
            "executable": {"filename": str(folder / f"{name}.code"), "format": "raw"},
            "nvram-template": {"filename": str(folder / f"{name}.vars"), "format": "raw"},
        },
        "targets": [{"architecture": "x86_64", "machines": ["pc-i440fx-*", "pc-q35-*"]}],
        "features": list(features),
        **changes,
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(about))
    return path


def test_distribution_prefers(tmp_path: Path) -> None:
    """Descriptions are read in the order of their names; the administrator's win."""
    ours, theirs = tmp_path / "etc", tmp_path / "usr"
    describe(theirs, "40-keys", "secure-boot", "enrolled-keys", "requires-smm")
    describe(theirs, "60-plain")
    describe(ours, "60-plain")
    assert read_firmware([ours, theirs]) == [
        Firmware(theirs / "40-keys.code", theirs / "40-keys.vars", True, True, True),
        Firmware(ours / "60-plain.code", ours / "60-plain.vars", False, False, False),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"interface-types": ["bios"]},
        {"targets": [{"architecture": "aarch64", "machines": ["virt-*"]}]},
        {"targets": [{"architecture": "x86_64", "machines": ["microvm"]}]},
        {"mapping": {"device": "memory", "filename": "/x"}},
        {"mapping": 7},
        {"features": None},
    ],
)
def test_others_are_passed_over(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Firmware of another kind or machine, and descriptions that make no sense."""
    describe(tmp_path, "10-other", **changes)
    (tmp_path / "20-broken.json").write_text("{")
    (tmp_path / "25-deep.json").write_text('{"mapping":' * 100_000)
    describe(tmp_path, "30-gone")
    (tmp_path / "30-gone.code").unlink()
    describe(tmp_path, "40-good")
    assert [item.code.name for item in read_firmware([tmp_path])] == ["40-good.code"]


def test_choice(tmp_path: Path) -> None:
    """Secure Boot needs keys, and without it there are to be none."""
    describe(tmp_path, "1", "secure-boot", "requires-smm")
    describe(tmp_path, "2", "secure-boot", "enrolled-keys")
    describe(tmp_path, "3")
    available = read_firmware([tmp_path])
    assert choose_firmware(available, secure_boot=True).code.name == "2.code"
    assert choose_firmware(available, secure_boot=False).code.name == "3.code"
    with pytest.raises(ToolMissingError, match=r"with Secure Boot and its keys.*apt install ovmf"):
        choose_firmware(available[::2], secure_boot=True)


def test_the_one_that_knows_a_certificate(tmp_path: Path) -> None:
    """Of several with keys the one that has it; where none has, the first all the same."""
    for name in ("1", "2", "3"):
        describe(tmp_path, name, "secure-boot", "enrolled-keys")
    (tmp_path / "2.vars").write_bytes(b"..Windows UEFI CA 2023..")
    (tmp_path / "3.vars").write_bytes("An Authority".encode("utf-16-be"))
    available = read_firmware([tmp_path])
    for certificate, code in (
        ("Windows UEFI CA 2023", "2.code"),
        ("An Authority", "3.code"),
        ("Another", "1.code"),
        ("", "1.code"),
    ):
        chosen = choose_firmware(available, secure_boot=True, certificate=certificate)
        assert chosen.code.name == code
        assert trusts(chosen, certificate or "Another") is (code != "1.code")
