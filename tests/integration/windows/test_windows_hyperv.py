"""Hyper-V: machines come and go, switches and processors are counted, reports are read."""

from __future__ import annotations

import os
from pathlib import Path

from winimagetools.errors import CommandError
from winimagetools.host.windows import scripts, virtdisk
from winimagetools.host.windows.powershell import PowerShell, as_list
from winimagetools.host.windows.vm import HyperV, convert_kvp_data
from winimagetools.model import MIB
from winimagetools.plan import VmRequest

REPORTS = r"""
$path = 'root\virtualization\v2:Msvm_KvpExchangeDataItem'
@($v.reports | ForEach-Object {
    $class = New-Object System.Management.ManagementClass $path
    $item = $class.CreateInstance()
    $item['Name'] = $_.name
    $item['Data'] = $_.data
    $item['Source'] = 1
    $item.GetText([System.Management.TextFormat]::CimDtd20)
})
"""
MAKE_SWITCH = "New-VMSwitch -Name $v.name -SwitchType Private | Out-Null"
REMOVE_SWITCH = "Remove-VMSwitch -Name $v.name -Force"
NAME = f"winimagetools test {os.getpid()}"


def test_machine(hyperv: PowerShell, tmp_path: Path) -> None:
    """A machine starts from an empty disk, is seen running, and is taken away."""
    path = tmp_path / "empty.vhdx"
    virtdisk.create(path, 64 * MIB, virtdisk.load_library()).close()
    hyperv.invoke(MAKE_SWITCH, name=NAME)
    try:
        hyperv.invoke(
            scripts.CREATE_VM,
            name=NAME,
            disk=path,
            memory=512 * MIB,
            cpu_count=1,
            switch=NAME,
            generation=2,
            disable_secure_boot=True,
        )
        status = hyperv.invoke(scripts.VM_STATUS, name=NAME)
        assert status["state"] == "Running"
        assert as_list(status["items"]) == []
        hyperv.invoke(scripts.REMOVE_VM, name=NAME)
        assert isinstance(hyperv.attempt(scripts.VM_STATUS, name=NAME), CommandError)
        path.unlink()
    finally:
        hyperv.attempt(scripts.REMOVE_VM, name=NAME)
        hyperv.attempt(REMOVE_SWITCH, name=NAME)


def test_checks(hyperv: PowerShell) -> None:
    """A switch that is not external and too many processors are both told."""
    hyperv.invoke(MAKE_SWITCH, name=NAME)
    try:
        assert hyperv.invoke(scripts.SWITCH_TYPE, name=NAME) == "Private"
        request = VmRequest("vm", Path("disk.vhdx"), 512 * MIB, 9999, NAME, 1)
        keys = [problem.key for problem in HyperV(hyperv).check(request, force=False)]
        assert keys == ["cpu_count", "external_switch"]
    finally:
        hyperv.attempt(REMOVE_SWITCH, name=NAME)
    assert hyperv.invoke(scripts.SWITCH_TYPE, name=NAME) == ""


def test_processors(hyperv: PowerShell) -> None:
    """As many processors as the machine has."""
    assert HyperV(hyperv).total_logical_processors() >= (os.cpu_count() or 1)


def test_reports(hyperv: PowerShell) -> None:
    """The XML in which Windows hands over the reports of a guest is understood."""
    reports = [
        {"name": "ImageGenerationLog-Sysprep", "data": 'Running "sysprep" & more <größe>'},
        {"name": "ImageGenerationLog-ERROR", "data": ""},
        {"name": "OSName", "data": "Windows"},
    ]
    items = as_list(hyperv.invoke(REPORTS, reports=reports))
    assert convert_kvp_data(items) == {
        "Sysprep": 'Running "sysprep" & more <größe>',
        "ERROR": "",
    }
