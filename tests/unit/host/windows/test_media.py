"""Media on a Windows host: a WIM or folder as it is, an ISO attached by Windows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.fakes import MemorySource
from tests.unit.host.windows.recorder import Recorder, VirtDisk
from tests.unit.iso_bytes import make_iso
from tests.unit.wim_bytes import image_xml, pipable, wim_bytes
from winimagetools.errors import MediaError
from winimagetools.formats import iso
from winimagetools.host.windows import virtdisk
from winimagetools.host.windows.media import WindowsMediaReader
from winimagetools.host.windows.powershell import PowerShell

CDROM = r"\\.\CDROM1"
ATTACHED = [("attach", virtdisk.ATTACH_READ_ONLY), ("detach",), ("close",)]


class Attached:
    """A Windows whose drive Q: is the ISO that is attached."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *files: str) -> None:
        self.library = VirtDisk(device=CDROM)
        self.recorder = Recorder({"ISO_LETTER": "Q"})
        self.media = WindowsMediaReader(PowerShell(self.recorder), lambda: self.library)
        self.tree = MemorySource(dict.fromkeys(files, b""))
        self.roots: list[Path] = []
        monkeypatch.setattr(iso, "FolderTree", self._drive)

    def _drive(self, root: Path) -> MemorySource:
        self.roots.append(root)
        return self.tree


def test_a_wim_needs_nothing_of_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read where it lies."""
    path = tmp_path / "install.wim"
    path.write_bytes(wim_bytes(image_xml(1, "Edition"), '<IMAGE INDEX="2"><NAME>PE</NAME></IMAGE>'))
    windows = Attached(monkeypatch)
    with windows.media.open_install(path) as media:
        assert media.wim_file(tmp_path) == path
        assert media.copied_bytes() == 0
        assert [image.name for image in media.images] == ["Edition"]
        assert [other.name for other in media.others] == ["PE"]
    assert (windows.library.calls, windows.recorder.calls) == ([], [])


def test_a_pipable_wim_is_not_for_dism(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused when its editions are asked for, long before it would be applied."""
    path = tmp_path / "install.wim"
    path.write_bytes(pipable(image_xml(1, "Edition")))
    with (
        Attached(monkeypatch).media.open_install(path) as media,
        pytest.raises(MediaError, match="is a pipable WIM, which DISM cannot read") as caught,
    ):
        _ = media.images
    assert caught.value.hint.endswith("wimlib-imagex optimize --not-pipable")


def test_the_wim_of_an_iso_is_read_from_its_drive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ISO itself is attached read-only for the length of the block."""
    windows = Attached(monkeypatch, "Sources/INSTALL.ESD", "setup.exe")
    with windows.media.open_install(Path("win.iso")) as media:
        assert media.wim_file(Path("work")) == Path("Q:\\") / "Sources/INSTALL.ESD"
        assert ("detach",) not in windows.library.calls
    first = ("open", virtdisk.DEVICE_ISO, "win.iso", virtdisk.ACCESS_READ)
    assert windows.library.calls == [first, *ATTACHED]
    assert windows.recorder.calls == [("ISO_LETTER", {"device": CDROM})]
    assert windows.roots == [Path("Q:\\")]


def test_an_iso_without_windows_is_detached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal leaves nothing attached."""
    windows = Attached(monkeypatch, "README")
    with (
        pytest.raises(MediaError),
        windows.media.open_install(Path("win.iso")),
    ):
        raise AssertionError("must not begin")
    assert windows.library.calls[1:] == ATTACHED


def test_a_folder_of_drivers_is_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is copied or attached."""
    windows = Attached(monkeypatch)
    with windows.media.open_source(tmp_path) as source:
        assert source is windows.tree
    assert windows.roots == [tmp_path]
    assert windows.library.calls == []


def test_a_driver_iso_is_attached_as_a_private_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, when a program needs its folders; the copy goes when it is detached."""
    path = make_iso(tmp_path / "virtio.iso", {"viostor/w10/amd64/viostor.inf": b"inf"})
    content = path.read_bytes()
    windows = Attached(monkeypatch, "viostor/w10/amd64/viostor.inf")
    with windows.media.open_source(path) as source:
        assert source.read_bytes("viostor/w10/amd64/viostor.inf") == b"inf"
        assert windows.library.calls == []  # this program reads it without Windows
        for _ in range(2):
            source.local_folder("viostor/w10/amd64")
        copy = Path(windows.library.calls[0][2])
        assert (copy.name, copy.read_bytes()) == ("virtio.iso", content)
        assert copy != path
    assert not copy.parent.exists()
    assert path.read_bytes() == content
    assert windows.library.calls[1:] == ATTACHED
    assert windows.roots == [Path("Q:\\")] * 2


def test_a_wim_that_is_replaced_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What DISM applied may not be the edition that was chosen."""
    path = tmp_path / "install.wim"
    path.write_bytes(b"a WIM")
    with Attached(monkeypatch).media.open_install(path) as media:
        media.check_unchanged()
        path.write_bytes(b"a WIM" + b"more")
        with pytest.raises(MediaError, match=r"install\.wim changed while it was used"):
            media.check_unchanged()
