"""What product keys tell, and what Windows does with the wrong ones."""

from __future__ import annotations

import base64

import pytest

from winimagetools.facts.key_check import (
    decode_key,
    key_channel,
    key_problems,
    oem_key_problem,
)
from winimagetools.facts.product_key import key_families
from winimagetools.model import Architecture, WimImage, WindowsVersion

KEY_2022_STANDARD = "VDYBN-27WPP-V4HQT-9VMD4-VMK7H"
WINDOWS_10_PRO = "W269N-WFGWX-YVC9B-4J6C9-T83GX"


def image(name: str, version: str, kind: str = "", edition: str = "") -> WimImage:
    """An edition."""
    parsed = WindowsVersion.parse(version)
    return WimImage(1, name, Architecture.AMD64, parsed, kind, edition)


SERVER_2022 = image("Windows Server 2022 SERVERSTANDARD", "10.0.20348", "Server", "ServerStandard")


def pkeyconfig(*groups: tuple[int, str]) -> bytes:
    """A list of key groups, wrapped as Windows does."""
    inner = "".join(
        f"<Configuration><ActConfigId>{{1}}</ActConfigId><RefGroupId>{group}</RefGroupId>"
        f"<EditionId>Professional</EditionId><ProductKeyType>{kind}</ProductKeyType>"
        "</Configuration>"
        for group, kind in groups
    )
    data = base64.b64encode(f"<Configurations>{inner}</Configurations>".encode()).decode()
    return (
        '<rg:licenseGroup><tm:infoList><tm:infoBin name="pkeyConfigData">'
        f"{data}</tm:infoBin></tm:infoList></rg:licenseGroup>"
    ).encode()


def test_public_keys_are_intact() -> None:
    """The checksum of every published key since Windows 8 is right; older ones tell nothing."""
    for family in key_families():
        for key in family.editions.values():
            content = decode_key(key)
            assert (content is None) == (family.version < (6, 2))
            assert content is None or content.intact


@pytest.mark.parametrize(
    ("key", "group", "serial"),
    [
        (WINDOWS_10_PRO, 3311, 1),
        (WINDOWS_10_PRO.lower(), 3311, 1),
        ("48HP8-DN98B-MYWDG-T2DCC-8W83P", 1849, 1),
        (KEY_2022_STANDARD, 4541, 1),
    ],
)
def test_numbers_of_a_key(key: str, group: int, serial: int) -> None:
    """Keys of one release are of neighbouring groups."""
    content = decode_key(key)
    assert content is not None
    assert (content.group, content.serial) == (group, serial)


@pytest.mark.parametrize("key", ["", "N", "AAAAN-AAAAA-AAAAA-AAAAA-AAAAA", WINDOWS_10_PRO + "X"])
def test_what_is_no_key_tells_nothing(key: str) -> None:
    """Another length, or letters no key has."""
    assert decode_key(key) is None


def test_a_slip_of_the_pen_is_told() -> None:
    """One letter changed makes the checksum wrong."""
    (problem,) = key_problems(SERVER_2022, KEY_2022_STANDARD.replace("VMK7H", "VMK7J"))
    assert "mistyped" in problem.message
    assert problem.key == "product_key"
    assert "VMK7J" not in str(problem)


@pytest.mark.parametrize("key", [KEY_2022_STANDARD, "FJ82H-XT6CR-J8D7P-XQJJ2-GPDD4"])
@pytest.mark.parametrize("edition", ["ServerStandardEval", "ServerStandardEvalCor"])
def test_evaluation_editions_take_no_key(key: str, edition: str) -> None:
    """A key that was written out is warned about as default_kms_key is."""
    evaluation = image("Windows Server 2022 SERVERSTANDARD", "10.0.20348", "Server", edition)
    (problem,) = key_problems(evaluation, key)
    assert "evaluation edition" in problem.message
    assert "specialize" in problem.message
    assert key not in str(problem)
    assert key_problems(evaluation, "") == []


@pytest.mark.parametrize(
    ("where", "key", "owner"),
    [
        (SERVER_2022, KEY_2022_STANDARD, ""),
        (SERVER_2022, "N69G4-B89J2-4G8F4-WWYCC-J464C", "Windows Server 2019"),
        (SERVER_2022, WINDOWS_10_PRO, "Windows 10 and 11"),
        (image("Windows 11 Pro", "10.0.26100", "Client"), WINDOWS_10_PRO, ""),
        (image("Windows 11 Pro", "10.0.26100"), WINDOWS_10_PRO, ""),
        (image("Windows 11 Home", "10.0.26100", "Client"), KEY_2022_STANDARD, "Server 2022"),
        (image("Windows 7 PROFESSIONAL", "6.1.7601", "Client"), WINDOWS_10_PRO, "Windows 10"),
        (SERVER_2022, "YTMG3-N6DKC-DKB77-7M9GH-8HVX7", ""),
    ],
)
def test_public_key_of_another_release(where: WimImage, key: str, owner: str) -> None:
    """A public key of another Windows is told; keys nobody published are not judged."""
    problems = key_problems(where, key)
    assert bool(problems) == bool(owner)
    assert all(owner in problem.message for problem in problems)


def test_channel_from_the_list_of_the_image() -> None:
    """The group of the key is looked up; a key of no group and a damaged list tell nothing."""
    data = pkeyconfig((3308, "OEM:DM"), (3311, "Volume:GVLK"))
    assert key_channel(WINDOWS_10_PRO, data) == "Volume:GVLK"
    assert key_channel("VK7JG-NPHTM-C97JM-9MPGT-3V66T", data) == "OEM:DM"
    assert key_channel(KEY_2022_STANDARD, data) is None
    assert key_channel("FJ82H-XT6CR-J8D7P-XQJJ2-GPDD4", data) is None
    assert key_channel(WINDOWS_10_PRO, b"<x/>") is None
    assert key_channel(WINDOWS_10_PRO, b'<a name="pkeyConfigData">AAA</a>') is None


def test_oem_keys_are_told() -> None:
    """Only with OEM keys the script that starts Cloudbase-Init is not run."""
    problem = oem_key_problem(SERVER_2022, "OEM:NONSLP")
    assert problem is not None
    assert "SetupComplete.cmd" in problem.message
    assert "cloudbase_init_delayed_start" in problem.hint
    assert oem_key_problem(SERVER_2022, "Volume:MAK") is None
    assert oem_key_problem(SERVER_2022, None) is None
