"""Public KMS client keys by version and edition."""

from __future__ import annotations

import re

import pytest

from winimagetools.facts.product_key import (
    is_product_key,
    key_families,
    map_kms_product_key,
    no_kms_key,
)
from winimagetools.model import Architecture, WimImage, WindowsVersion


def image(name: str, version: str, kind: str = "", edition: str = "", flags: str = "") -> WimImage:
    """An edition with as much metadata as a test needs."""
    parsed = WindowsVersion.parse(version)
    return WimImage(1, name, Architecture.AMD64, parsed, kind, edition, flags)


SERVERS = {
    "2008 R2": ("6.1.7601.24214", "74YFP-3QFB3-KQT8W-PMXWJ-7M648", "YC6KT-GKW9T-YTKYR-T4X34-R7VHC"),
    "2012": ("6.2.9200", "48HP8-DN98B-MYWDG-T2DCC-8W83P", "XC9B7-NBPP2-83J2H-RHMBY-92BT4"),
    "2012 R2": ("6.3.9600", "W3GGN-FT8W3-Y4M27-J84CP-Q3VJ9", "D2N9P-3P6X9-2R39C-7RTCD-MDVJX"),
    "2016": ("10.0.14393", "CB7KF-BWN84-R7R2Y-793K2-8XDDG", "WC2BQ-8NRM3-FDDYY-2BFGV-KHKQY"),
    "2019": ("10.0.17763", "WMDGN-G9PQG-XVVXX-R3X43-63DFG", "N69G4-B89J2-4G8F4-WWYCC-J464C"),
    "2022": ("10.0.20348", "WX4NM-KYWYW-QJJR4-XV3QB-6VM33", "VDYBN-27WPP-V4HQT-9VMD4-VMK7H"),
    "2025": ("10.0.26100", "D764K-2NDRG-47T6Q-P8T8W-YP6DF", "TVRH6-WHNXV-R9WG3-9XRFY-MY832"),
}


@pytest.mark.parametrize("year", list(SERVERS))
@pytest.mark.parametrize("suffix", ["", "CORE"])
def test_servers_by_the_name_on_the_medium(year: str, suffix: str) -> None:
    """What the PowerShell tools map is mapped, also without any other metadata."""
    version, datacenter, standard = SERVERS[year]
    name = f"Windows Server {year} SERVER"
    assert map_kms_product_key(image(f"{name}DATACENTER{suffix}", version)) == datacenter
    assert map_kms_product_key(image(f"{name}STANDARD{suffix}", version)) == standard


@pytest.mark.parametrize("year", list(SERVERS))
@pytest.mark.parametrize("kind", ["Server", "Server Core"])
def test_servers_by_edition(year: str, kind: str) -> None:
    """The edition identifier decides, whatever the image is called."""
    version, datacenter, _ = SERVERS[year]
    assert map_kms_product_key(image("mine", version, kind, "ServerDatacenter")) == datacenter
    flags = image("mine", version, kind, flags="ServerDatacenterCore")
    assert map_kms_product_key(flags) == datacenter


@pytest.mark.parametrize(
    ("known", "key"),
    [
        (image("Windows Server 2022 Standard (Desktop Experience)", "10.0.20348"), "VDYBN"),
        (image("Windows Server 2025 Datacenter Azure Edition", "10.0.26100"), "XGN3F"),
        (image("x", "10.0.26100", "Server Core", "ServerTurbine", "ServerTurbineCor"), "XGN3F"),
        (image("x", "10.0.20348", "Server", "ServerTurbine"), "NTBV8"),
        (image("x", "10.0.17763", "Server", "ServerSolution"), "WVDHN"),
        (image("Windows Server 2016 Essentials", "10.0.14393"), "JCKRF"),
        (image("Windows Server 2012 R2 SERVERSOLUTION", "6.3.9600"), "KNC87"),
        (image("Windows Server 2008 R2 SERVERENTERPRISE", "6.1.7601"), "489J6"),
        (image("Windows Server 2008 R2 SERVERWEB", "6.1.7601"), "6TPJF"),
        (image("x", "6.0.6003", "Server", "ServerStandardV"), "W7VD6"),
        (image("x", "6.0.6003", "Server", "ServerEnterpriseIA64"), "4DWFP"),
        (image("x", "6.0.6003", "Server", "ServerComputeCluster"), "RCTX3"),
        (image("Windows Server 2008 R2 HPC Edition", "6.1.7601"), "TT8MH"),
        (image("Windows Server 2008 R2 SERVERENTERPRISEIA64", "6.1.7601"), "GT63C"),
        (image("x", "10.0.17763", "Server Core", "ServerDatacenterACor"), "6NMRW"),
        (image("x", "10.0.17134", "Server Core", "ServerStandardACor"), "PTXN8"),
        (image("Windows 7 PROFESSIONAL", "6.1.7601", "Client", "Professional"), "FJ82H"),
        (image("Windows 7 ENTERPRISE", "6.1.7601", "Client"), "33PXH"),
        (image("Windows 8.1 Pro", "6.3.9600", "Client", "Professional"), "GCRJD"),
        (image("Windows 8.1 Pro", "6.3.9600"), "GCRJD"),
        (image("Windows 8 Pro", "6.2.9200", "Client"), "NG4HW"),
        (image("Windows 10 Pro", "10.0.19045", "Client", "Professional"), "W269N"),
        (image("Windows 11 Pro N", "10.0.26100", "Client"), "MH37W"),
        (image("Windows 11 Pro for Workstations", "10.0.26100", "Client"), "NRG8B"),
        (image("Windows 11 Enterprise", "10.0.26200", "Client", "Enterprise"), "NPPR9"),
        (image("Windows 10 Education N", "10.0.19045", "Client"), "2WH4N"),
        (image("Windows 10 Enterprise LTSC", "10.0.19044", "Client", "EnterpriseS"), "M7XTQ"),
        (image("Windows 10 Enterprise LTSC 2021", "10.0.19044", "Client"), "M7XTQ"),
        (image("Windows 10 Enterprise 2016 LTSB", "10.0.14393", "Client", "EnterpriseS"), "DCPHK"),
        (image("x", "10.0.10240", "Client", "EnterpriseSN"), "2F77B"),
        (image("x", "10.0.26100", "Client", "IoTEnterpriseS"), "KBN8V"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_other_editions(known: WimImage, key: str) -> None:
    """Editions by identifier, by flags and by name as on media."""
    assert (map_kms_product_key(known) or "").startswith(key)


@pytest.mark.parametrize(
    "unknown",
    [
        image("Windows 11 Home", "10.0.26100", "Client", "Core"),
        image("Windows 10 Home N", "10.0.19045", "Client", "CoreN"),
        image("Windows 7 ULTIMATE", "6.1.7601", "Client", "Ultimate"),
        image("Windows Server 2019 SERVERSTANDARD", "10.0.18362", "Server"),
        image("Windows Server 2022 SERVERSTANDARD", "10.0.20348", "Client"),
        image("Windows Server 2030 SERVERSTANDARD", "11.0.30000", "Server", "ServerStandard"),
        image("nothing", "10.0.20348", "Server"),
        image("", "10.0.20348", "Server"),
    ],
    ids=lambda value: value.name,
)
def test_editions_without_a_key(unknown: WimImage) -> None:
    """None, and the reason."""
    assert map_kms_product_key(unknown) is None
    assert no_kms_key(unknown)[0].startswith("No KMS client key is published for")


@pytest.mark.parametrize(
    ("name", "edition"),
    [
        ("Windows Server 2022 SERVERSTANDARD", "ServerStandardEval"),
        ("Windows Server 2022 Standard Evaluation (Desktop Experience)", ""),
    ],
)
def test_evaluation_editions_take_no_key(name: str, edition: str) -> None:
    """A volume key would not be accepted, so none is given."""
    evaluation = image(name, "10.0.20348", "Server", edition)
    assert map_kms_product_key(evaluation) is None
    assert "is an evaluation edition" in no_kms_key(evaluation)[0]


def test_every_key_has_the_form_of_a_key() -> None:
    """Five groups of the 24 letters and digits that product keys are written with."""
    keys = [key for family in key_families() for key in family.editions.values()]
    assert len(keys) > 70
    for key in keys:
        assert re.fullmatch(
            r"[BCDFGHJKMNPQRTVWXY2346789]{5}(-[BCDFGHJKMNPQRTVWXY2346789]{5}){4}", key
        )


def test_no_edition_has_two_keys() -> None:
    """No image is covered by two families that name the same edition."""
    for family in key_families():
        builds = family.builds or (0, 0)
        for build in builds:
            version = WindowsVersion(*family.version, build)
            covering = [other for other in key_families() if other.covers(version, family.server)]
            editions = [edition for other in covering for edition in other.editions]
            assert len(editions) == len(set(editions)), family.windows


def test_keys_belong_to_one_edition_each() -> None:
    """A key that appears twice would be a slip of the pen."""
    keys = [key for family in key_families() for key in family.editions.values()]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("ABCDE-12345-fghij-67890-KLMNO", True),
        ("ABCDE-12345-FGHIJ-67890-KLMNO ", False),
        ("ABCDE-12345-FGHIJ-67890", False),
        ("ABCDE-12345-FGHIJ-67890-KLM O", False),
        ("default_kms_key", False),
        ("", False),
    ],
)
def test_the_form_of_a_key(text: str, fits: bool) -> None:
    """Five groups of five characters and nothing else."""
    assert is_product_key(text) is fits
