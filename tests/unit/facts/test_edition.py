"""Client or server, told from what repackaging tools leave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from winimagetools.facts.edition import completed, kind_of_name
from winimagetools.model import Architecture, WimImage, WindowsVersion

PLAIN = WimImage(1, "", Architecture.AMD64, WindowsVersion(10, 0, 17763))


def image(name: str = "", version: str = "10.0.17763", **fields: str) -> WimImage:
    """An edition with these fields only."""
    return replace(PLAIN, name=name, version=WindowsVersion.parse(version), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (image("Windows Server 2019 SERVERSTANDARD"), "Server"),
        (image("Windows Server 2019 SERVERSTANDARDCORE"), "Server Core"),
        (image("Windows Server 2012 R2 Standard (Server Core Installation)"), "Server Core"),
        (image("Windows Server 2019 Standard (Desktop Experience)"), "Server"),
        (image("Azure Stack HCI SERVERAZURESTACKHCICORE"), "Server Core"),
        (image("mine", display_name="Windows Server 2019 Datacenter"), "Server"),
        (image("mine", edition_id="ServerDatacenter"), "Server"),
        (image("mine", flags="ServerStandardACor"), "Server Core"),
        (image("mine", flags="ServerStandardCore", edition_id="ServerStandard"), "Server Core"),
        (image("mine", product_type="ServerNT"), "Server"),
        (image("mine", product_type="LanmanNT"), "Server"),
        (image("mine", "10.0.20348"), "Server"),
        (image("Windows 10 Pro"), "Client"),
        (image("Windows 11"), "Client"),
        (image("Windows 7 ULTIMATE"), "Client"),
        (image("mine", edition_id="Professional"), "Client"),
        (image("mine", flags="Core"), "Client"),
        (image("mine", flags="IoTEnterpriseS"), "Client"),
        (image("mine", product_type="WinNT"), "Client"),
        (
            image("Windows 10 Enterprise", edition_id="ServerRdsh", product_type="ServerNT"),
            "Client",
        ),
    ],
    ids=str,
)
def test_installation_type_is_derived(found: WimImage, kind: str) -> None:
    """From product type, identifiers, names and builds that only servers have."""
    assert completed(found).installation_type == kind


@pytest.mark.parametrize(
    "found",
    [
        image("mine"),
        image(""),
        image("Windows 10 Pro", flags="ServerStandard"),
        image("Windows Server 2019", product_type="WinNT"),
        image("Windows 10", "10.0.20348"),
    ],
    ids=str,
)
def test_what_is_not_known_is_not_guessed(found: WimImage) -> None:
    """Nothing tells, or two things contradict: no server is taken for a client."""
    assert completed(found).installation_type == ""
    assert completed(found).product_type == found.product_type


def test_what_the_medium_says_stays() -> None:
    """Fields that are there are not judged."""
    odd = image(
        "Windows 10 Pro", installation_type="Server", edition_id="x", product_type="y", flags="z"
    )
    assert completed(odd) == odd


@pytest.mark.parametrize(
    ("found", "edition", "product"),
    [
        (image("mine", flags="ServerStandardCore"), "ServerStandardCore", "ServerNT"),
        (image("Windows Server 2019 SERVERDATACENTER"), "ServerDatacenter", "ServerNT"),
        (image("Windows Server 2019 SERVERDATACENTERCORE"), "ServerDatacenter", "ServerNT"),
        (image("Windows 7 PROFESSIONAL", "6.1.7601"), "Professional", "WinNT"),
        (image("Windows 10 Pro"), "", "WinNT"),
    ],
    ids=str,
)
def test_identifier_and_product_type(found: WimImage, edition: str, product: str) -> None:
    """Flags, else the word media put at the end of the name."""
    assert completed(found).edition_id == edition
    assert completed(found).product_type == product


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Windows Server 2022 SERVERSTANDARD", "Server"),
        ("windows server 2022 serverstandardcore", "Server Core"),
        ("windows server 2012 r2 serverdatacentercore", "Server Core"),
        ("Hyper-V Server 2019 SERVERHYPERCORE", "Server Core"),
        ("Windows Server 2016 SERVERDATACENTERNANO", "Server"),
        ("Windows 11 Home Core", "Client"),
        ("Azure Local", "Server"),
        ("Windows 11 Pro", "Client"),
        ("", "Client"),
    ],
)
def test_kind_by_the_name_alone(name: str, kind: str) -> None:
    """For a disk of which nothing but the name is known."""
    assert kind_of_name(name) == kind
