"""WIMs made by wimlib-imagex."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests import needs
from winimagetools.errors import MediaError
from winimagetools.formats.wim.editions import get_wim_file_images_info, read_wim
from winimagetools.host.linux.media import LinuxMedia
from winimagetools.model import Architecture, WindowsVersion

PROPERTIES = {
    "WINDOWS/ARCH": "9",
    "WINDOWS/VERSION/MAJOR": "10",
    "WINDOWS/VERSION/MINOR": "0",
    "WINDOWS/VERSION/BUILD": "26100",
    "WINDOWS/VERSION/SPBUILD": "1742",
    "WINDOWS/EDITIONID": "ServerStandard",
    "WINDOWS/PRODUCTTYPE": "ServerNT",
    "WINDOWS/LANGUAGES/LANGUAGE": "de-DE",
    "WINDOWS/LANGUAGES/DEFAULT": "de-DE",
    "DISPLAYNAME": "Windows Server 2025 Standard",
    "DISPLAYDESCRIPTION": "For people",
    "WINDOWS/INSTALLATIONTYPE": "Server",
    "FLAGS": "ServerStandard",
}
NAME = "Windows Server 2025 SERVERSTANDARD"


def imagex(*arguments: str | Path) -> str:
    """Run wimlib-imagex; what it printed."""
    needs.program("wimlib-imagex", "wimtools")
    return subprocess.run(
        ["wimlib-imagex", *arguments], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def wim(tmp_path: Path) -> Path:
    """A WIM of one edition and one image that is no Windows."""
    for name, size in (("one", 300_000), ("two", 300_000)):
        (tmp_path / "tree").mkdir(exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(name.encode() * size)
    path = tmp_path / "install.wim"
    more = [f"--image-property={key}={value}" for key, value in PROPERTIES.items()]
    imagex("capture", tmp_path / "tree", path, NAME, "About it", "--compress=none", *more)
    imagex("append", tmp_path / "tree", path, "data")
    return path


def check(path: Path) -> None:
    """The edition and the other image are read as they were made."""
    info = read_wim(path)
    (image,) = info.images
    assert (image.index, image.name, image.description) == (1, NAME, "About it")
    assert image.architecture is Architecture.AMD64
    assert image.version == WindowsVersion(10, 0, 26100, 1742)
    assert (image.edition_id, image.flags, image.is_server) == (
        "ServerStandard",
        "ServerStandard",
        True,
    )
    assert image.size == 1_800_000
    assert [(other.index, other.name) for other in info.others] == [(2, "data")]


def test_agrees_with_wimlib(wim: Path) -> None:
    """Every field has the value wimlib-imagex prints."""
    check(wim)
    printed = dict(re.findall(r"^([A-Z][A-Za-z ]+?): +(.*)$", imagex("info", wim, "1"), re.M))
    (image,) = get_wim_file_images_info(wim)
    version = [printed[name] for name in ("Major Version", "Minor Version", "Build")]
    version.append(printed["Service Pack Build"])
    assert ".".join(version) == str(image.version)
    assert (printed["Architecture"], image.architecture) == ("x86_64", Architecture.AMD64)
    ours = {
        "Index": image.index,
        "Name": image.name,
        "Description": image.description,
        "Display Name": image.display_name,
        "Display Description": image.display_description,
        "Total Bytes": image.size,
        "Hard Link Bytes": image.hard_link_bytes,
        "Edition ID": image.edition_id,
        "Installation Type": image.installation_type,
        "Product Type": image.product_type,
        "Languages": "".join(f"{language} " for language in image.languages),
        "Default Language": image.default_language,
        "Flags": image.flags,
    }
    assert {name: printed[name] for name in ours} == {name: str(x) for name, x in ours.items()}


@pytest.mark.parametrize("options", [["--solid"], ["--compress=LZX"], ["--check"]])
def test_other_compressions(wim: Path, options: list[str]) -> None:
    """Solid (ESD), compressed and checked files read the same."""
    target = wim.with_name("install.esd")
    imagex("export", wim, "all", target, *options)
    check(target)


def test_split(wim: Path) -> None:
    """A split WIM is read from its first part, and only when it is complete."""
    target = wim.with_name("install.swm")
    imagex("split", wim, target, "1")
    assert wim.with_name("install2.swm").exists()
    check(target)
    with pytest.raises(MediaError, match=r"is part 2 of \d of a split WIM"):
        read_wim(wim.with_name("install2.swm"))
    wim.with_name("install2.swm").unlink()
    with pytest.raises(MediaError, match=r"install2\.swm is not beside it"):
        read_wim(target)


def test_pipable(wim: Path) -> None:
    """A pipable WIM is read as the one it was made of."""
    target = wim.with_name("pipe.wim")
    imagex("export", wim, "all", target, "--pipable")
    check(target)
    assert read_wim(target).header.pipable


def test_cut_off(wim: Path) -> None:
    """A WIM that was not downloaded to the end is refused."""
    whole = wim.read_bytes()
    for size in (len(whole) - 1, len(whole) // 2, 300):
        wim.write_bytes(whole[:size])
        with pytest.raises(MediaError, match="is cut off"):
            read_wim(wim)


def test_in_an_iso(wim: Path, tmp_path: Path) -> None:
    """The WIM inside a UDF ISO is read in place, and comes out as it was for libwim."""
    needs.program("genisoimage", "genisoimage")
    sources = tmp_path / "medium" / "sources"
    sources.mkdir(parents=True)
    (sources / "install.wim").hardlink_to(wim)
    iso = tmp_path / "x.iso"
    command: list[str | Path] = ["genisoimage", "-quiet", "-udf", "-o", iso, sources.parent]
    subprocess.run(command, check=True, capture_output=True)
    check(iso)
    with LinuxMedia().open_install(iso) as media:
        found = media.wim_file(tmp_path)
        size = wim.stat().st_size
        assert (found.read_bytes()[:size] == wim.read_bytes()) is True
        assert found.stat().st_size - size < 512
        imagex("verify", found)
