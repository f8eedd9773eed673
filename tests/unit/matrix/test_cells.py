"""The cells a matrix has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from winimagetools.errors import RequestError
from winimagetools.matrix.cells import Cell, choose, make_cells
from winimagetools.matrix.description import Description, Rule, TargetPlan

EDITIONS = {
    "2022": ("Windows Server 2022 SERVERSTANDARD", "Windows Server 2022 SERVERDATACENTER"),
    "2025": ("Windows Server 2025 SERVERSTANDARD",),
}


def describe(axes: Mapping[str, tuple[str, ...]], **more: object) -> Description:
    """A matrix with two media unless it has others."""
    media = {name: Path(f"/{name}.iso") for name in axes.get("medium", ())}
    return Description(
        Path("/m/matrix.toml"),
        Path("/m/config.ini"),
        axes=axes,
        media=media,
        **more,  # type: ignore[arg-type]
    )


def cells(axes: Mapping[str, tuple[str, ...]], **more: object) -> list[Cell]:
    """Its cells."""
    return make_cells(describe(axes, **more), lambda path: EDITIONS[path.stem], Path("/2022.iso"))


def test_one_of_each() -> None:
    """Every edition a pattern fits, of every medium, with every firmware and container."""
    found = cells(
        {
            "medium": ("2022", "2025"),
            "edition": ("*standard", "*DATACENTER"),
            "firmware": ("BIOS", "UEFI"),
            "container": ("QCOW2",),
        }
    )
    assert [cell.name for cell in found] == [
        "2022-windows-server-2022-serverstandard-bios-qcow2",
        "2022-windows-server-2022-serverstandard-uefi-qcow2",
        "2022-windows-server-2022-serverdatacenter-bios-qcow2",
        "2022-windows-server-2022-serverdatacenter-uefi-qcow2",
        "2025-windows-server-2025-serverstandard-bios-qcow2",
        "2025-windows-server-2025-serverstandard-uefi-qcow2",
    ]
    assert found[-1].overrides == (
        "wim_file_path=/2025.iso",
        "image_name=Windows Server 2025 SERVERSTANDARD",
        "disk_layout=UEFI",
        "virtual_disk_format=QCOW2",
    )


def test_without_axes() -> None:
    """The base configuration is the one cell, called like the file."""
    (cell,) = cells({})
    assert (cell.name, cell.overrides, cell.target) == ("matrix", (), None)


def test_editions_of_the_base_medium() -> None:
    """Without media the patterns choose from that of the base configuration."""
    assert [cell.values["edition"] for cell in cells({"edition": ("*",)})] == [*EDITIONS["2022"]]


def test_options_and_exclusions() -> None:
    """For all, for the target, and for some; axes win. What is excluded is not there."""
    found = cells(
        {
            "firmware": ("BIOS", "UEFI"),
            "target": ("kubevirt", "azure"),
            "container": ("RAW", "VHD"),
        },
        options=("vm.cpu_count=1",),
        rules=(Rule({"firmware": "uefi", "target": "k*"}, ("vm.cpu_count=3",)),),
        targets={
            "kubevirt": TargetPlan("kubevirt", options=("vm.cpu_count=2",)),
            "azure": TargetPlan("azure", container="VHD"),
        },
        exclude=({"target": "kubevirt", "container": "VHD"},),
    )
    assert [cell.name for cell in found] == [
        "bios-kubevirt-raw",
        "bios-azure-vhd",
        "uefi-kubevirt-raw",
        "uefi-azure-vhd",
    ]
    assert found[2].overrides == (
        "vm.cpu_count=1",
        "vm.cpu_count=2",
        "vm.cpu_count=3",
        "disk_layout=UEFI",
        "virtual_disk_format=RAW",
    )
    assert found[2].target is not None
    assert found[2].target.name == "kubevirt"


def test_nothing_fits() -> None:
    """A pattern without an edition, and a matrix without a cell, are refused."""
    with pytest.raises(RequestError, match=r'no medium has an edition "\*2019\*"'):
        cells({"edition": ("*2022*", "*2019*")})
    with pytest.raises(RequestError, match="leaves nothing to make"):
        cells({"firmware": ("BIOS",)}, exclude=({"firmware": "*"},))


def test_names_that_are_one() -> None:
    """Two cells that would overwrite each other's image are refused."""
    with pytest.raises(RequestError, match="two different cells would be called a-b"):
        cells({"target": ("a b", "a_b")}, targets={})


def test_choose() -> None:
    """All patterns of a choice have to match, one choice of several is enough."""
    found = cells({"medium": ("2022", "2025"), "edition": ("*",), "firmware": ("BIOS", "UEFI")})

    def names(*choices: str) -> list[str]:
        return [cell.name.removeprefix("windows-server-") for cell in choose(found, choices)]

    assert len(names()) == 6
    assert names("edition=*2025* firmware=uefi") == ["2025-windows-server-2025-serverstandard-uefi"]
    assert len(names("medium=2025", "firmware=BIOS")) == 4
    for wrong in ("2025", "size=3", "", "edition='", "edition=*2025* uefi"):
        with pytest.raises(RequestError, match="does not choose cells"):
            choose(found, [wrong])
    with pytest.raises(RequestError, match="matches no cell"):
        choose(found, ["medium=2019"])
