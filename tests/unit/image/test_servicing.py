"""What is added to an image after it was applied."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.unit.host.linux.test_linux_servicing import make_disk
from winimagetools.contract import Host
from winimagetools.guest.answer_file import (
    SERVICING_COMMAND,
    default_template,
    generate_unattend_xml,
)
from winimagetools.host.linux.servicing import SERVICING_FOLDER, LinuxServicing
from winimagetools.image.servicing import POWERSHELL_FEATURES, enable_powershell
from winimagetools.model import Architecture, WimImage, WindowsVersion

OLD_CORE = WimImage(
    1, "Windows Server 2008 R2 SERVERSTANDARDCORE", Architecture.AMD64,
    WindowsVersion(6, 1, 7601), "Server Core",
)  # fmt: skip
OLD_SERVER = WimImage(
    2, "Windows Server 2008 R2 SERVERSTANDARD", Architecture.AMD64,
    WindowsVersion(6, 1, 7601), "Server",
)  # fmt: skip
CORE = WimImage(
    3, "Windows Server 2022 SERVERSTANDARDCORE", Architecture.AMD64,
    WindowsVersion(10, 0, 20348), "Server Core",
)  # fmt: skip


def prepare(tmp_path: Path, image: WimImage) -> tuple[str, str]:
    """Answer file and servicing script after PowerShell was seen to on Linux."""
    disk = make_disk(tmp_path, image.version)
    disk.tree.write_bytes("Unattend.xml", generate_unattend_xml(default_template(), image))
    host = cast(Host, cast(Any, SimpleNamespace(servicing=LinuxServicing())))
    enable_powershell(host, disk, image)
    script = rf"{SERVICING_FOLDER}\Servicing.cmd"
    return (
        disk.tree.read_bytes("Unattend.xml").decode(),
        disk.tree.read_bytes(script).decode() if disk.tree.exists(script) else "",
    )


def test_the_guest_turns_powershell_on_before_its_scripts(tmp_path: Path) -> None:
    """On Linux nothing is enabled offline, and the script that enables is no PowerShell."""
    answers, script = prepare(tmp_path, OLD_CORE)
    for name in POWERSHELL_FEATURES:
        assert f"/FeatureName:{name}" in script
    assert SERVICING_COMMAND.endswith(rf"\{SERVICING_FOLDER}\Servicing.cmd")
    assert answers.index(SERVICING_COMMAND) < answers.index("FirstLogon.ps1")
    assert "Specialize.ps1" not in answers


@pytest.mark.parametrize("image", [OLD_SERVER, CORE], ids=lambda image: image.name)
def test_other_editions_have_powershell(tmp_path: Path, image: WimImage) -> None:
    """Their answer file stays as it is and nothing is left to the guest."""
    answers, script = prepare(tmp_path, image)
    assert answers.encode() == generate_unattend_xml(default_template(), image)
    assert script == ""
