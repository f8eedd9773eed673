"""The one table of architecture names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.wim_bytes import image_xml, wim_bytes
from winimagetools.errors import RequestError
from winimagetools.facts.architecture import NAMES, ArchitectureNames, require
from winimagetools.formats.wim.editions import get_wim_file_images_info
from winimagetools.guest.answer_file import default_template, generate_unattend_xml
from winimagetools.guest.cloudbase_init import cloudbase_init_source
from winimagetools.guest.qemu_agent import FromWeb, IsoState, decide, places
from winimagetools.image.drivers.virtio_layout import find_folders
from winimagetools.model import Architecture, WimImage, WindowsVersion

EXPECTED = {
    Architecture.AMD64: ArchitectureNames(
        "amd64", "amd64", "x64", ("x86_64", "x64"), "x64", "zapfree.exe"
    ),
    Architecture.X86: ArchitectureNames(
        "x86", "x86", "x86", ("i386", "x86"), "x86", "zapfree32.exe"
    ),
    Architecture.ARM64: ArchitectureNames(
        "arm64", "ARM64", "", ("aarch64", "arm64"), "", "zapfree32.exe"
    ),
    Architecture.ARM: ArchitectureNames("arm"),
    Architecture.IA64: ArchitectureNames("ia64"),
}


@pytest.mark.parametrize("architecture", list(Architecture))
def test_every_architecture_is_named(architecture: Architecture) -> None:
    """Each architecture of the model has exactly the published names."""
    assert NAMES[architecture] == EXPECTED[architecture]


@pytest.mark.parametrize("architecture", list(Architecture))
def test_the_answer_file_uses_the_name_of_the_model(architecture: Architecture) -> None:
    """``processorArchitecture`` is the value of the enumeration."""
    assert NAMES[architecture].unattend == architecture.value


def test_no_name_is_shared_by_two_architectures() -> None:
    """A guest agent file name can never stand for two architectures."""
    names = [name for entry in NAMES.values() for name in entry.guest_agent]
    assert len(names) == len(set(names)) == 6


def test_require_returns_a_name_that_exists() -> None:
    """A published name is handed back."""
    assert require("x64", Architecture.AMD64, "installer", "Bring one.") == "x64"


def test_require_refuses_what_is_not_published() -> None:
    """The error names the thing and the architecture and says what to do."""
    with pytest.raises(RequestError) as caught:
        require("", Architecture.ARM64, "installer", "Bring one.")
    assert str(caught.value) == "There is no installer for arm64 Windows. Bring one."


def architecture_of_wim(tmp_path: Path, code: str) -> Architecture:
    """What an image whose XML has this number is for."""
    path = tmp_path / "install.wim"
    path.write_bytes(wim_bytes(image_xml(1, "x", arch=code)))
    (image,) = get_wim_file_images_info(path)
    return image.architecture


def guest_agent_url(architecture: Architecture) -> str:
    """The default download of the guest agent."""
    (attempt,) = decide(
        "True",
        source="web",
        url="",
        checksum="",
        iso=IsoState.NOT_GIVEN,
        architecture=architecture,
    ).attempts
    assert isinstance(attempt, FromWeb)
    return attempt.url


@pytest.mark.parametrize(
    ("code", "unattend", "on_iso", "virtio"),
    [
        ("0", "x86", ["guest-agent/qemu-ga-i386.msi"], {"x86", "i386"}),
        ("9", "amd64", ["guest-agent/qemu-ga-x86_64.msi"], {"amd64", "x64"}),
        ("12", "arm64", ["guest-agent/qemu-ga-aarch64.msi"], {"ARM64"}),
        ("5", "arm", [], set()),
        ("6", "ia64", [], set()),
    ],
)
def test_names_from_the_code_in_the_wim(
    tmp_path: Path, code: str, unattend: str, on_iso: list[str], virtio: set[str]
) -> None:
    """The number in a WIM decides what is written and where a virtio ISO is looked at."""
    architecture = architecture_of_wim(tmp_path, code)
    image = WimImage(1, "x", architecture, WindowsVersion(10, 0, 26100))
    xml = generate_unattend_xml(default_template(), image).decode()
    assert set(re.findall('processorArchitecture="(.*?)"', xml)) == {unattend}
    assert list(places(architecture)[:1]) == on_iso
    folders = ("x86", "i386", "amd64", "x64", "ARM64", "arm", "ia64", "aarch64")
    found = find_folders(f"viostor/w10/{name}/viostor.inf" for name in folders)
    mine = (item.path for item in found if item.architecture is architecture)
    assert {path.split("/")[2] for path in mine} == virtio


@pytest.mark.parametrize("url", [cloudbase_init_source, guest_agent_url])
@pytest.mark.parametrize(("code", "ending"), [("0", "x86.msi"), ("9", "x64.msi")])
def test_downloads_from_the_code_in_the_wim(
    tmp_path: Path, code: str, ending: str, url: Callable[[Architecture], str]
) -> None:
    """What is published is fetched for the processor of the image."""
    found = url(architecture_of_wim(tmp_path, code))
    assert re.findall("[^-_/]+$", found) == [ending]


@pytest.mark.parametrize("url", [cloudbase_init_source, guest_agent_url])
@pytest.mark.parametrize(("code", "name"), [("12", "arm64"), ("5", "arm"), ("6", "ia64")])
def test_no_download_is_made_up(
    tmp_path: Path, code: str, name: str, url: Callable[[Architecture], str]
) -> None:
    """Where nothing is published the user is told to bring a file."""
    with pytest.raises(RequestError, match=rf"^There is no .* {name} Windows\. Set "):
        url(architecture_of_wim(tmp_path, code))
