"""Stand-in media are what they claim to be, according to wimlib, libhivex and pycdlib."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pefile
import pycdlib
import pytest

from fixtures import boot_managers, media, security, windows_tree
from fixtures.filetree import Bulk, Data
from fixtures.media import MediaFormat, MediaSpec
from fixtures.releases import RELEASES
from tests.hive_reader import read_raw
from winimagetools.host.linux.hive_edit import Hive
from winimagetools.model import MIB, Architecture
from winimagetools.run import Tool, run

WIMLIB = Tool("wimlib-imagex", "wimtools", "look into WIM files")
MKNTFS = Tool("mkntfs", "ntfs-3g", "format")
NTFSFIX = Tool("ntfsfix", "ntfs-3g", "check")

MakeMedia = Callable[[MediaSpec], Path]
CASES = [
    (key, architecture)
    for key, release in RELEASES.items()
    for architecture in release.architectures
]


def _info(path: Path, index: int) -> dict[str, str]:
    lines = run(WIMLIB, ["info", path, str(index)]).splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _details(wim: Path, path: str) -> list[str]:
    """What wimlib says about one file, stream by stream; its place in the WIM left out."""
    text = run(WIMLIB, ["dir", wim, "1", f"--path={path}", "--detailed"])
    own = re.split(r"^-{20,}$", text, flags=re.MULTILINE)[1]
    dropped = (
        r"^.*(Compressed size|Offset in WIM|Reference Count|Flags|Link Group ID|Access Time).*\n"
    )
    return sorted(re.sub(dropped, "", own, flags=re.MULTILINE).strip().split("\n\n"))


@pytest.mark.parametrize(("key", "architecture"), CASES)
def test_every_release(
    install_media: MakeMedia, tmp_path: Path, key: str, architecture: Architecture
) -> None:
    """Each release and architecture gives a sound WIM whose metadata say what it is."""
    wim = install_media(MediaSpec(key, architecture))
    run(WIMLIB, ["verify", wim])
    release = RELEASES[key]
    names = {"x86": "x86", "amd64": "x86_64", "arm64": "ARM64"}
    for index, edition in enumerate(release.editions, start=1):
        info = _info(wim, index)
        assert info["Name"] == edition.name
        assert info["Architecture"] == names[architecture]
        assert info["Build"] == str(release.version.build)
        assert info["Service Pack Build"] == str(release.version.revision)
        assert info["Installation Type"] == edition.installation_type
        assert info["Flags"] == edition.flags
        assert info["Product Type"] == ("ServerNT" if release.is_server else "WinNT")
        assert info["Default Language"] == "en-US"
    folder = tmp_path / "out"
    run(WIMLIB, ["extract", wim, "1", "/Windows/System32/ntdll.dll", f"--dest-dir={folder}"])
    parsed = pefile.PE(str(folder / "ntdll.dll"))
    version = release.version
    fixed = parsed.VS_FIXEDFILEINFO[0]
    assert fixed.FileVersionMS == version.major << 16 | version.minor
    assert fixed.FileVersionLS == version.build << 16 | version.revision


def test_boot_files_of_each_kind(install_media: MakeMedia) -> None:
    """x86 Windows 7 has no UEFI files, ARM64 no BIOS files, 2025 has those of 2023."""
    names = {}
    for spec in (
        MediaSpec("7", Architecture.X86),
        MediaSpec("11", Architecture.ARM64),
        MediaSpec("2025"),
    ):
        listing = run(WIMLIB, ["dir", install_media(spec), "1", "--path=/Windows/Boot"])
        names[spec.release] = {line.rpartition("/")[2] for line in listing.splitlines()}
    assert not {"bootmgfw.efi", "bootnxt"} & names["7"]
    assert "bootmgr" in names["7"]
    assert not {"bootmgr", "PCAT"} & names["11"]
    assert {"bootmgr", "bootmgfw.efi", "bootmgfw_EX.efi", "wgl4_boot_EX.ttf"} <= names["2025"]


def test_boot_managers_are_the_stand_ins(install_wim: Path, tmp_path: Path) -> None:
    """What is in the image are the programs the boot proof knows."""
    version = RELEASES["2022"].version
    paths = ["/Windows/Boot/EFI/bootmgfw.efi", "/Windows/Boot/PCAT/bootmgr"]
    run(WIMLIB, ["extract", install_wim, "1", *paths, f"--dest-dir={tmp_path}"])
    assert (tmp_path / "bootmgfw.efi").read_bytes() == boot_managers.uefi(version)
    assert (tmp_path / "bootmgr").read_bytes() == boot_managers.bios()


def test_everything_survives_ntfs(install_wim: Path, tmp_path: Path) -> None:
    """Applied to NTFS and captured again, descriptors, links, streams and names are the same."""
    volume, again = tmp_path / "volume", tmp_path / "again.wim"
    with volume.open("wb") as stream:
        stream.truncate(64 * MIB)
    run(MKNTFS, ["-q", "-F", "-f", "-s", "512", "-p", "2048", "-H", "255", "-S", "63", volume])
    run(WIMLIB, ["apply", install_wim, "1", volume])
    assert "processed successfully" in run(NTFSFIX, ["-n", volume])
    run(WIMLIB, ["capture", volume, again, "x", "--compress=none"])
    for path in (
        "/",
        "/Windows/System32/config/SAM",
        "/Windows/System32/ntdll.dll",
        "/Windows/System32/license.rtf",
        "/Windows/Boot/PCAT/bootmgr",
        "/Windows/Globalization/Größe-日本語-Ελλάδα-😀.txt",
        "/Windows/WinSxS/empty.manifest",
        f"/Windows/WinSxS/{'n' * 200}.manifest",
        "/Program Files",
        "/Documents and Settings",
        "/Users/All Users",
    ):
        assert _details(again, path) == _details(install_wim, path)


def test_details_worth_keeping(install_wim: Path) -> None:
    """The image holds the descriptors, links, streams and names that were asked for."""
    sam, library, licence, programs, junction = (
        "".join(_details(install_wim, path))
        for path in (
            *("/Windows/System32/config/SAM", "/Windows/System32/ntdll.dll"),
            *("/Windows/System32/license.rtf", "/Program Files", "/Documents and Settings"),
        )
    )
    assert security.from_sddl(windows_tree.ADMINISTRATORS_ONLY).hex() in sam
    assert security.from_sddl(windows_tree.WINDOWS_FILE).hex() in library
    assert "Link Count          = 3" in library
    assert 'Named data stream "Zone.Identifier"' in licence
    assert 'Short Name          = "PROGRA~1"' in programs
    assert "= 0xa0000003" in junction


def test_hives_open_with_libhivex(install_wim: Path, tmp_path: Path) -> None:
    """The hives can be opened, changed and read again by the library the project uses."""
    run(
        WIMLIB,
        [
            *("extract", install_wim, "1", "/Windows/System32/config/SYSTEM"),
            *("/Windows/System32/config/SOFTWARE", f"--dest-dir={tmp_path}"),
        ],
    )
    identifiers = "DriverDatabase\\DeviceIds\\PCI\\"
    before = read_raw((tmp_path / "SYSTEM").read_bytes())
    assert sum(key.startswith(identifiers) for key in before) == 303
    with Hive(tmp_path / "SYSTEM", write=True) as hive:
        hive.add_key(f"{identifiers}VEN_1AF4&DEV_1001")
    after = read_raw((tmp_path / "SYSTEM").read_bytes())
    assert after.keys() - before.keys() == {f"{identifiers}VEN_1AF4&DEV_1001"}
    with Hive(tmp_path / "SYSTEM") as hive:
        start = hive.get(r"ControlSet001\Services\storahci", "Start")
        assert start is not None
        assert start.data == 0
    with Hive(tmp_path / "SOFTWARE") as hive:
        name = hive.get(r"Microsoft\Windows NT\CurrentVersion", "ProductName")
        assert name is not None
        assert name.data == "Windows Server 2022 Standard"


def test_esd(install_media: MakeMedia) -> None:
    """An ESD is solid LZMS and holds the same editions."""
    path = install_media(MediaSpec(media_format=MediaFormat.ESD))
    assert path.name == "install.esd"
    assert "Compression:    LZMS" in run(WIMLIB, ["info", path, "--header"]) + run(
        WIMLIB, ["info", path]
    )
    run(WIMLIB, ["verify", path])
    assert _info(path, 4)["Name"] == "Windows Server 2022 SERVERDATACENTER"


def test_split_wim(install_media: MakeMedia) -> None:
    """A split WIM has several parts named as Windows Setup looks for them."""
    spec = MediaSpec(editions=("ServerStandard",), media_format=MediaFormat.SWM, bulk=6 * MIB)
    first = install_media(spec)
    parts = sorted(path.name for path in first.parent.iterdir())
    assert first.name == "install.swm"
    assert parts[:2] == ["install.swm", "install2.swm"]
    run(WIMLIB, ["verify", first, f"--ref={first.parent}/install*.swm"])


@pytest.mark.parametrize("install", [MediaFormat.WIM, MediaFormat.ESD, MediaFormat.SWM])
def test_iso(install_media: MakeMedia, install: MediaFormat) -> None:
    """Setup's files are in the UDF tree only; ISO9660 shows a README and nothing else."""
    spec = MediaSpec(editions=("ServerStandard",), media_format=MediaFormat.ISO, install=install)
    path = install_media(spec)
    assert path.name == "2022_amd64.iso"
    image = pycdlib.PyCdlib()
    image.open(str(path))
    try:
        seen = {f"{top}/{name}" for top, _, names in image.walk(iso_path="/") for name in names}
        assert seen == {"//README.TXT;1"}
        files = {
            f"{top.rstrip('/')}/{name}"
            for top, _, names in image.walk(udf_path="/")
            for name in names
        }
        wanted = {"/setup.exe", "/bootmgr", "/efi/boot/bootx64.efi", f"/sources/install.{install}"}
        assert wanted <= files
        data = io.BytesIO()
        image.get_file_from_iso_fp(data, udf_path=f"/sources/install.{install}")
    finally:
        image.close()
    assert data.getvalue()[:8] in (b"MSWIM\0\0\0", b"WLPWM\0\0\0")


def test_iso_udf_revision(install_media: MakeMedia) -> None:
    """The volume recognition sequence announces UDF as Microsoft's discs do: NSR02."""
    path = install_media(MediaSpec(editions=("ServerStandard",), media_format=MediaFormat.ISO))
    area = path.read_bytes()[32768 : 32768 + 32 * 2048]
    marks = [area[at + 1 : at + 6] for at in range(0, len(area), 2048)]
    assert b"CD001" in marks
    assert b"BEA01" in marks
    assert b"NSR02" in marks
    assert b"NSR03" not in marks


def test_bulk_comes_out_of_the_wim(install_media: MakeMedia, tmp_path: Path) -> None:
    """A file added for benchmarks has the content its description stands for."""
    spec = MediaSpec(editions=("ServerStandard",), bulk=3 * MIB)
    release, editions = spec.chosen
    tree = windows_tree.build(release, spec.architecture, editions[0], bulk=spec.bulk)
    name = "/Windows/WinSxS/bulk_0000/payload_000001.bin"
    run(WIMLIB, ["extract", install_media(spec), "1", name, f"--dest-dir={tmp_path}"])
    content = tree.find(name).content
    assert isinstance(content, Bulk)
    assert (tmp_path / "payload_000001.bin").read_bytes() == b"".join(content.chunks())


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command makes the medium and names it, its size and its editions."""
    out = tmp_path / "out"
    arguments = ["--release", "10", "--edition", "Professional", "--out", str(out)]
    media.main(arguments)
    made = out / "install.wim"
    size = made.stat().st_size
    assert capsys.readouterr().out == f"{made}: {size} bytes\n  Windows 10 Pro\n"
    assert [path.name for path in out.iterdir()] == ["install.wim"]


def test_hard_linked_content_is_one_file(install_wim: Path) -> None:
    """The three names of ntdll.dll share one link group in the image."""
    found = set()
    store = windows_tree.build(
        RELEASES["2022"], Architecture.AMD64, RELEASES["2022"].edition("ServerStandard")
    )
    linked = [item for item in store.walk() if item.entry.link_group]
    assert len(linked) == 3
    for item in linked:
        assert isinstance(item.entry.content, Data)
        text = run(WIMLIB, ["dir", install_wim, "1", f"--path=/{item.path}", "--detailed"])
        found.add(re.findall(r"Link Group ID +=.*", text)[0])
    assert len(found) == 1
