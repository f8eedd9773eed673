"""What an image lacks for its platform."""

from __future__ import annotations

import pytest

from tests.unit.image.drivers.packages import S2022, W10, package, source
from winimagetools.image.drivers.plan import plan_drivers
from winimagetools.image.platform_needs import (
    missing_hooks,
    missing_network_driver,
    missing_storage_driver,
)
from winimagetools.model import ImageType
from winimagetools.plan import DriverPackage, DriverPlan, ImageInfo


def plan(*names: str) -> DriverPlan:
    """A plan with some drivers of the stand-in ISO."""
    content: dict[str, bytes] = {}
    for name in names:
        content |= package(name, "w10")
    return plan_drivers(source(content), W10)


OTHERS = [item for item in ImageType if item is not ImageType.KVM]


@pytest.mark.parametrize("names", [["viostor"], ["vioscsi"], ["Balloon", "vioscsi"]])
def test_a_storage_driver_is_enough(names: list[str]) -> None:
    """One of the two virtio storage drivers does, wherever it comes from."""
    assert missing_storage_driver(ImageType.KVM, [plan("NetKVM"), plan(*names)]) == ""


@pytest.mark.parametrize("plans", [[], [plan("NetKVM", "Balloon")]])
def test_no_storage_driver(plans: list[DriverPlan]) -> None:
    """Without one KVM is warned about, the other platforms are not."""
    warning = missing_storage_driver(ImageType.KVM, plans)
    assert warning.startswith("No virtio storage driver is added: on KVM this image starts from")
    assert [missing_storage_driver(item, plans) for item in OTHERS] == ["", "", ""]


def test_network_driver() -> None:
    """A client on KVM needs netkvm; a server does not stop at the page that wants a network."""
    warning = missing_network_driver(W10, ImageType.KVM, [plan("viostor")])
    assert warning.startswith("No virtio network driver is added: on a virtio network device this")
    assert missing_network_driver(W10, ImageType.KVM, [plan("viostor"), plan("NetKVM")]) == ""
    assert missing_network_driver(S2022, ImageType.KVM, []) == ""
    assert [missing_network_driver(W10, item, []) for item in OTHERS] == ["", "", ""]


@pytest.mark.parametrize(
    ("device", "counts"),
    [
        (r"pci\ven_1af4&dev_1041", True),
        (r"PCI\VEN_1AF4&DEV_1000&SUBSYS_00011AF4&REV_00", True),
        (r"PCI\VEN_1AF4&DEV_10001", False),
        (r"PCI\VEN_1AF4&DEV_1004", False),
    ],
)
def test_ids(device: str, counts: bool) -> None:
    """Ids count in any letter case and with a subsystem, but not by chance."""
    packages = (DriverPackage("x.inf", "x", "1", ("x.inf",), devices=(device,)),)
    found = DriverPlan(source(), packages=packages)
    client = ImageInfo(W10.version, W10.architecture, "Client")
    assert (missing_network_driver(client, ImageType.KVM, [found]) == "") is counts


def test_hooks() -> None:
    """MAAS without hooks is warned about."""
    assert "Set install_maas_hooks" in missing_hooks(ImageType.MAAS, has_hooks=False)
    assert missing_hooks(ImageType.MAAS, has_hooks=True) == ""
    assert missing_hooks(ImageType.KVM, has_hooks=False) == ""
