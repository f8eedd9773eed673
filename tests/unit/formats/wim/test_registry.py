"""What an edition is, by its own registry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fixtures import regf
from winimagetools.errors import MediaError
from winimagetools.formats.wim.registry import SOFTWARE, SYSTEM, from_registry
from winimagetools.model import Architecture, WimImage, WindowsVersion

LOST = WimImage(1, "mine", Architecture.AMD64, WindowsVersion(10, 0, 17763))
VERSION = r"Microsoft\Windows NT\CurrentVersion"


def files(product: str = "", **texts: str) -> dict[str, bytes]:
    """The two hives of an edition."""
    software, system = regf.Key("ROOT"), regf.Key("ROOT")
    software.make(VERSION).values |= {name: regf.sz(text) for name, text in texts.items()}
    options = system.make(r"ControlSet001\Control\ProductOptions")
    options.values |= {"ProductType": regf.sz(product)} if product else {}
    return {SOFTWARE: regf.dump(software), SYSTEM: regf.dump(system)}


def found(tree: dict[str, bytes], image: WimImage = LOST) -> WimImage:
    """The edition with what these files tell."""

    def read(path: str) -> bytes:
        if path not in tree:
            raise FileNotFoundError(path)
        return tree[path]

    return from_registry(image, read)


def test_the_registry_tells() -> None:
    """Installation type, edition and product type as Windows has them."""
    image = found(files("ServerNT", InstallationType="Server Core", EditionID="ServerStandard"))
    assert image == replace(
        LOST, installation_type="Server Core", edition_id="ServerStandard", product_type="ServerNT"
    )


@pytest.mark.parametrize(
    ("tree", "kind"),
    [
        (files("ServerNT"), "Server"),
        (files("WinNT", ProductName="Windows Vista (TM) Ultimate"), "Client"),
        (files(ProductName="Windows Server (R) 2008 Standard"), "Server"),
        (files(EditionID="ServerDatacenter"), "Server"),
        (files("WinNT", EditionID="ServerDatacenter"), ""),
        (files(), ""),
        ({}, ""),
    ],
)
def test_old_or_odd_registries(tree: dict[str, bytes], kind: str) -> None:
    """Product type and name do too; a contradiction or nothing stays unknown."""
    image = found(tree)
    assert image.installation_type == kind
    assert image.display_name == ""


def test_the_medium_goes_first() -> None:
    """What it says is not changed."""
    tree = files("ServerNT", InstallationType="Server", EditionID="ServerStandard")
    image = found(tree, replace(LOST, installation_type="Client", edition_id="Core"))
    assert (image.installation_type, image.edition_id) == ("Client", "Core")


def test_a_damaged_hive_is_named() -> None:
    """With its path in the edition."""
    with pytest.raises(MediaError, match=r"\\Windows\\System32\\config\\SYSTEM of the edition"):
        found({**files(), SYSTEM: b"regf"})
