"""What the tests on real Windows need; elsewhere each is skipped with that need as reason."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

from winimagetools.errors import CommandError
from winimagetools.host.windows import scripts
from winimagetools.host.windows.disks import WindowsDisk, WindowsDisks
from winimagetools.host.windows.powershell import PowerShell
from winimagetools.model import MIB, DiskLayout


def _on_windows() -> bool:
    return platform.system() == "Windows"


@pytest.fixture
def shell() -> PowerShell:
    """The PowerShell of this machine."""
    if not _on_windows():
        pytest.skip("needs Windows with PowerShell")
    return PowerShell()


@pytest.fixture
def administrator() -> None:
    """Tests that attach disks or service images."""
    if not _on_windows() or not ctypes.windll.shell32.IsUserAnAdmin():  # type: ignore[attr-defined]
        pytest.skip("needs Windows with DISM and administrator rights")


@pytest.fixture
def hyperv(administrator: None, shell: PowerShell) -> PowerShell:
    """PowerShell on a machine with Hyper-V."""
    try:
        shell.invoke("[string](Get-Command New-VM).Name")
        state = shell.invoke(scripts.HYPERV_STATE)
    except CommandError:
        state = ""
    if state != "Enabled":
        pytest.skip("needs Windows with Hyper-V turned on")
    return shell


@pytest.fixture
def disks(administrator: None, shell: PowerShell) -> WindowsDisks:
    """The disks of a Windows host."""
    return WindowsDisks(shell)


@pytest.fixture
def bios_disk(disks: WindowsDisks, tmp_path: Path) -> Iterator[WindowsDisk]:
    """A small BIOS disk that is attached for the length of a test."""
    with disks.create(tmp_path / "bios disk.vhdx", 256 * MIB, DiskLayout.BIOS) as disk:
        assert isinstance(disk, WindowsDisk)
        yield disk
