import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures import media
from fixtures.security import from_sddl
from fixtures.windows_tree import ADMINISTRATORS_ONLY
from winimagetools.errors import MediaError, ToolMissingError
from winimagetools.host.linux import libwim
from winimagetools.host.linux.wimlib import Wim, WimLayer
from winimagetools.host.staged_tree import StagedTree

SYSTEM = "/Windows/System32/config/SYSTEM"
MakeMedia = Callable[[media.MediaSpec], Path]


def test_iterates_without_regard_to_case(install_wim: Path) -> None:
    """One entry, the entries of a folder, or everything below it."""
    with Wim(install_wim) as wim:
        (entry,) = wim.iterate(1, SYSTEM.lower())
        assert (entry.path, entry.is_dir, entry.size) == (SYSTEM, False, 65536)
        assert entry.descriptor == from_sddl(ADMINISTRATORS_ONLY)
        names = [item.name for item in wim.iterate(1, "/windows/boot", children=True)]
        assert "EFI" in names and "Boot" not in names
        below = [item.path for item in wim.iterate(1, "/windows/boot", recursive=True)]
        assert below[0] == "/Windows/Boot"
        assert "/Windows/Boot/EFI/bootmgfw.efi" in below
        (junction,) = wim.iterate(1, "/Documents and Settings")
        assert junction.is_dir and junction.is_link


def test_paths_that_are_not_there(install_wim: Path, tmp_path: Path) -> None:
    """FileNotFoundError names the path and the WIM."""
    with Wim(install_wim) as wim:
        with pytest.raises(FileNotFoundError, match=r"install\.wim"):
            wim.iterate(1, "/Windows/missing")
        with pytest.raises(FileNotFoundError, match="missing"):
            wim.extract_paths(1, ["/Windows/missing"], tmp_path)


def test_extracts_with_and_without_folders(install_wim: Path, tmp_path: Path) -> None:
    """Files come out flat, or below the folders they are in."""
    with Wim(install_wim) as wim:
        wim.extract_paths(1, [SYSTEM, "/windows/system32/ntdll.dll"], tmp_path / "flat")
        wim.extract_paths(1, [SYSTEM], tmp_path / "deep", keep_folders=True)
    assert sorted(item.name for item in (tmp_path / "flat").iterdir()) == ["SYSTEM", "ntdll.dll"]
    flat = (tmp_path / "flat" / "SYSTEM").read_bytes()
    assert flat.startswith(b"regf") and len(flat) == 65536
    assert (tmp_path / "deep" / SYSTEM.lstrip("/")).read_bytes() == flat


def test_updates_in_memory_only(install_wim: Path, tmp_path: Path) -> None:
    """The image looks changed, the file is not."""
    before = install_wim.read_bytes()
    source = tmp_path / "overlay"
    (source / "Windows" / "new").mkdir(parents=True)
    (source / "Windows" / "new" / "a.txt").write_bytes(b"added")
    with Wim(install_wim) as wim:
        wim.update(1, [(source, "/")], ["/windows/TEMP", "/not/there"])
        (added,) = wim.iterate(1, "/Windows/New/A.TXT")
        assert (added.path, added.size, added.descriptor) == ("/Windows/new/a.txt", 5, None)
        assert wim.iterate(1, "/Windows")[0].descriptor is not None
        with pytest.raises(FileNotFoundError):
            wim.iterate(1, "/Windows/Temp")
    assert install_wim.read_bytes() == before


@pytest.mark.parametrize("kind", [media.MediaFormat.ESD, media.MediaFormat.SWM])
def test_reads_esd_and_split_wim(
    kind: media.MediaFormat, install_media: MakeMedia, tmp_path: Path
) -> None:
    """Solid and split files are opened like any other."""
    spec = media.MediaSpec(
        editions=("ServerStandard",), media_format=kind, bulk=2 << 20, split_size=1 << 20
    )
    path = install_media(spec)
    if kind is media.MediaFormat.SWM:
        assert len(list(path.parent.iterdir())) > 1
    with Wim(path) as wim:
        wim.extract_paths(1, ["/Windows/WinSxS"], tmp_path)
    assert sum(item.stat().st_size for item in tmp_path.rglob("*.bin")) == 2 << 20


def test_a_split_wim_needs_all_its_parts(install_media: MakeMedia, tmp_path: Path) -> None:
    """A missing part is told before anything starts, and a later part is no beginning."""
    spec = media.MediaSpec(
        editions=("ServerStandard",),
        media_format=media.MediaFormat.SWM,
        bulk=2 << 20,
        split_size=1 << 20,
    )
    first = install_media(spec)
    alone = tmp_path / "install.swm"
    alone.write_bytes(first.read_bytes())
    with pytest.raises(MediaError, match=r"parts, of which 1 are here"):
        Wim(alone)
    with pytest.raises(MediaError, match="is part 2"):
        Wim(first.with_name("install2.swm"))


def test_files_that_are_no_wim(tmp_path: Path, install_wim: Path) -> None:
    """Missing, empty, foreign and cut-off files: one clear error each."""
    with pytest.raises(MediaError, match="does not exist"):
        Wim(tmp_path / "gone.wim")
    (tmp_path / "empty.wim").touch()
    with pytest.raises(MediaError, match=r"empty\.wim"):
        Wim(tmp_path / "empty.wim")
    (tmp_path / "foreign.wim").write_bytes(b"<html>" * 1000)
    with pytest.raises(MediaError, match="is not a WIM file"):
        Wim(tmp_path / "foreign.wim")
    data = install_wim.read_bytes()
    (tmp_path / "short.wim").write_bytes(data[: len(data) // 2])
    with pytest.raises(MediaError, match=r"short\.wim is damaged"):
        Wim(tmp_path / "short.wim")


def test_an_image_that_is_not_there(install_wim: Path) -> None:
    """The index is told to be wrong."""
    with Wim(install_wim) as wim, pytest.raises(MediaError, match="no image with that index"):
        wim.iterate(9)


def test_nothing_is_printed(
    install_wim: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What libwim says becomes part of the error instead."""
    with Wim(install_wim) as wim, pytest.raises(MediaError):
        wim.iterate(9)
    (tmp_path / "foreign.wim").write_bytes(b"x" * 1000)
    with pytest.raises(MediaError):
        Wim(tmp_path / "foreign.wim")
    assert capfd.readouterr() == ("", "")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the package it is in."""
    monkeypatch.setattr(libwim, "LIBRARY", "libwim-that-is-not-there.so.15")
    libwim.load.cache_clear()
    try:
        with pytest.raises(ToolMissingError, match="libwim15"):
            libwim.load()
    finally:
        libwim.load.cache_clear()


def test_a_staged_tree_above_a_wim(install_wim: Path, tmp_path: Path) -> None:
    """Files and folders are read from the image, and freed with it."""
    tree = StagedTree(tmp_path / "overlay")
    tree.attach(WimLayer(Wim(install_wim), 1))
    assert tree.read_bytes("windows/system32/config/system").startswith(b"regf")
    tree.write_bytes("windows/boot/EFI/BOOTMGFW.EFI", b"patched")
    tree.copy_out("windows/boot", tmp_path / "boot")
    assert (tmp_path / "boot" / "EFI" / "bootmgfw.efi").read_bytes() == b"patched"
    assert (tmp_path / "boot" / "EFI" / "de-DE" / "bootmgfw.efi.mui").read_bytes()[:2] == b"MZ"
    assert tree.list_dir("Documents and Settings") == []
    tree.detach()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["boot", "overlay"]


def test_a_wim_can_be_used_from_any_thread(install_wim: Path) -> None:
    """Calls run in threads of their own; the caller's thread does not matter."""
    found: list[int] = []
    with Wim(install_wim) as wim:
        thread = threading.Thread(target=lambda: found.append(len(wim.iterate(1, children=True))))
        thread.start()
        thread.join()
        assert found == [len(wim.iterate(1, children=True))]
