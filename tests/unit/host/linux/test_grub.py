"""GRUB: command line and boot code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.host.linux.grub_files import make_core, make_module
from winimagetools.errors import BuildError, HostError, ToolMissingError
from winimagetools.host.linux import grub
from winimagetools.run import Tool

NEEDS = {"ntfs": ["fshelp"], "ntldr": ["boot"]}


def test_the_command_line_of_grub_mkimage() -> None:
    """Only what is needed to read NTFS and start the boot manager."""
    assert grub.mkimage_arguments(Path("work/grub.cfg"), Path("work/core.img")) == [
        *("-O", "i386-pc", "-d", Path("/usr/lib/grub/i386-pc"), "-p", "/boot/grub"),
        *("-c", Path("work/grub.cfg"), "-o", Path("work/core.img")),
        *("biosdisk", "part_msdos", "ntfs", "search", "search_fs_file", "ntldr", "boot"),
    ]


def test_boot_code_keeps_signature_and_table() -> None:
    """Only 440 bytes change; the floppy test becomes two no-operations."""
    current = bytes(range(256)) * 2
    made = grub.master_boot_record(current, b"\xeb" * 512)
    assert made[440:] == current[440:]
    assert made[:440] == b"\xeb" * 0x66 + b"\x90\x90" + b"\xeb" * (440 - 0x68)


def test_boot_code_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    """It would overwrite the Windows volume; the disk is not touched."""
    disk = tmp_path / "disk.raw"
    disk.write_bytes(b"x" * 4096)
    with pytest.raises(BuildError, match="has 3585 bytes and there is only room for 3584"):
        grub.write_boot_code(disk, 4096, bytes(3585))
    assert disk.read_bytes() == b"x" * 4096


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """GRUB as it is installed, in small."""
    made = tmp_path / "i386-pc"
    made.mkdir()
    for name in grub.MODULES:
        (made / f"{name}.mod").write_bytes(make_module(name, NEEDS.get(name, ())))
    (made / "fshelp.mod").write_bytes(make_module("fshelp"))
    (made / "boot.img").write_bytes(b"\xeb".ljust(510, b"\x90") + b"\x55\xaa")
    (made / "diskboot.img").write_bytes(b"R".ljust(512, b"\1"))
    monkeypatch.setattr(grub, "GRUB_FOLDER", made)
    monkeypatch.setattr(Tool, "find", lambda _: "/usr/bin/grub-mkimage")
    return made


def _made(folder: Path, settings: str = grub.SETTINGS) -> bytes:
    modules = [path.read_bytes() for path in sorted(folder.glob("*.mod"))]
    return make_core(modules, settings, (folder / "diskboot.img").read_bytes())


def _make(monkeypatch: pytest.MonkeyPatch, work: Path, core: bytes) -> bytes:
    """What becomes of a core image that grub-mkimage writes."""

    def write(_: Tool, arguments: list[str | Path]) -> str:
        Path(arguments[arguments.index("-o") + 1]).write_bytes(core)
        return ""

    monkeypatch.setattr(grub, "run", write)
    return grub.make_core(work)


def test_a_core_image_that_is_what_it_should_be(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All modules and what they need are in it."""
    grub.check_installed()
    core = _made(folder)
    assert _make(monkeypatch, tmp_path, core) == core


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("boot.img", b"", r"boot\.img is no boot sector \(0 bytes\)"),
        ("boot.img", bytes(512), r"boot\.img is no boot sector \(512 bytes\)"),
        ("ntfs.mod", b"", r"ntfs\.mod holds a module that is none \(0 bytes\)"),
        ("fshelp.mod", b"", r"fshelp\.mod holds a module that is none"),
        ("ntfs.mod", make_module("ntfs", ["fshelp"])[:-30], r"ntfs\.mod holds .* cut off"),
        ("ntldr.mod", make_module("boot"), r"ntldr\.mod is the module boot"),
    ],
)
def test_a_damaged_file_of_grub_is_found_before_a_build(
    folder: Path, name: str, content: bytes, said: str
) -> None:
    """grub-mkimage puts an empty module in without a word."""
    (folder / name).write_bytes(content)
    with pytest.raises(HostError, match=said) as caught:
        grub.check_installed()
    assert "--reinstall grub-pc-bin" in caught.value.hint


def test_a_file_of_grub_that_is_missing(folder: Path) -> None:
    """Also one that only another module needs."""
    (folder / "fshelp.mod").unlink()
    with pytest.raises(ToolMissingError, match=r"fshelp\.mod was not found"):
        grub.check_installed()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda _: b"", "has only 0 bytes"),
        (lambda core: core[:-40], "cannot be unpacked"),
        (lambda core: b"x" + core[1:], "does not begin like one"),
    ],
)
def test_a_core_image_that_is_none(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[bytes], bytes],
    said: str,
) -> None:
    """grub-mkimage said that all was well."""
    with pytest.raises(BuildError, match=said):
        _make(monkeypatch, tmp_path, spoil(_made(folder)))


def test_a_core_image_without_what_was_asked_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other commands, a module left out, a module of another content."""
    with pytest.raises(BuildError, match="does not hold the commands that start Windows"):
        _make(monkeypatch, tmp_path, _made(folder, "halt\n"))
    core = _made(folder)
    (folder / "fshelp.mod").write_bytes(make_module("fshelp", code=b"newer"))
    with pytest.raises(BuildError, match="does not hold the module fshelp as it is installed"):
        _make(monkeypatch, tmp_path, core)


def test_a_grub_mkimage_that_writes_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one sentence."""
    assert folder.is_dir()
    monkeypatch.setattr(grub, "run", lambda *_: "")
    with pytest.raises(BuildError, match=r"grub-mkimage made has only 0 bytes\."):
        grub.make_core(tmp_path)


def test_boot_code_is_written(folder: Path, tmp_path: Path) -> None:
    """Boot sector and core image; the rest of the disk stays."""
    disk = tmp_path / "disk.raw"
    disk.write_bytes(b"x" * 4096)
    grub.write_boot_code(disk, 4096, b"core" * 100)
    first = grub.master_boot_record(b"x" * 512, (folder / "boot.img").read_bytes())
    assert disk.read_bytes() == (first + b"core" * 100).ljust(4096, b"x")
