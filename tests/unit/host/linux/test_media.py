"""Installation media: finding them, and getting at the WIM inside an ISO."""

from __future__ import annotations

import os
from collections import namedtuple
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.unit.iso_bytes import make_iso
from tests.unit.wim_bytes import image_xml, wim_bytes
from winimagetools import log
from winimagetools.contract import Media
from winimagetools.errors import DiskFullError, HostError, MediaError
from winimagetools.files.sparse import Extent
from winimagetools.formats.iso import IsoTree
from winimagetools.host.linux.media import LinuxInstallMedia, LinuxMedia
from winimagetools.host.linux.slices import Slice, shown_size

WIM = wim_bytes(image_xml(1, "Windows 11 Pro"))


class NoSlices:
    """A machine on which a WIM has to be copied out of an ISO."""

    def obstacle(self) -> str:
        """Why."""
        return "There is no FUSE here."

    def show(self, source: Path, slices: Sequence[Slice]) -> AbstractContextManager[None]:
        """Never asked for."""
        raise AssertionError


class CopiedSlices:
    """Shows slices as copies, with the bytes that come after them up to a whole sector."""

    def obstacle(self) -> str:
        """None."""
        return ""

    @contextmanager
    def show(self, source: Path, slices: Sequence[Slice]) -> Iterator[None]:
        """Copy them for a while."""
        data = source.read_bytes()
        for each in slices:
            each.path.write_bytes(data[each.offset :][: shown_size(each)])
        yield
        for each in slices:
            each.path.unlink()


class BrokenSlices(NoSlices):
    """Looks all right and is not."""

    def obstacle(self) -> str:
        """None is seen."""
        return ""

    def show(self, source: Path, slices: Sequence[Slice]) -> AbstractContextManager[None]:
        """Fails."""
        raise HostError("FUSE is broken.")


MEDIA: Media = LinuxMedia(NoSlices())
IN_PLACE: Media = LinuxMedia(CopiedSlices())


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The folder of a configuration, and one that is in PATH."""
    here, in_path = tmp_path / "here", tmp_path / "in path"
    for folder in (here, in_path):
        folder.mkdir()
        (folder / f"{folder.name[:4]}.iso").write_bytes(b"")
    monkeypatch.setenv("PATH", f":{tmp_path / 'nothing'}:{in_path}")
    return here, in_path


def test_locate(folders: tuple[Path, Path]) -> None:
    """The folder of the configuration comes first, then PATH for a bare name."""
    here, in_path = folders
    assert MEDIA.locate("here.iso", here.joinpath) == here / "here.iso"
    assert MEDIA.locate(str(in_path / "in p.iso"), here.joinpath) == in_path / "in p.iso"
    assert MEDIA.locate("in p.iso", here.joinpath) == in_path / "in p.iso"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no.iso", "no folder of PATH has no.iso"),
        ("./in p.iso", "does not exist. Check the path"),
        ("iso\\here.iso", "Write the path with / instead"),
        ("D:\\Sources\\install.wim", "is a path of Windows"),
        ("\\\\server\\share\\a.iso", "is a path of Windows"),
        (" ", "No installation medium is given. Set wim_file_path."),
    ],
)
def test_locate_in_vain(folders: tuple[Path, Path], text: str, words: str) -> None:
    """What cannot be found is told with what to do."""
    with pytest.raises(MediaError) as caught:
        MEDIA.locate(text, folders[0].joinpath)
    assert words in str(caught.value)


def test_wim_is_used_where_it_is(tmp_path: Path) -> None:
    """A WIM needs no copy."""
    path = tmp_path / "install.wim"
    path.write_bytes(WIM)
    with MEDIA.open_install(path) as media:
        assert media.wim_file(tmp_path / "work") == path
        assert media.copied_bytes() == 0
        assert [image.name for image in media.images] == ["Windows 11 Pro"]
    assert path.exists()


def test_wim_in_an_iso(tmp_path: Path) -> None:
    """The WIM of an ISO is copied when its path is asked for, once, and removed at the end."""
    work = tmp_path / "work"
    work.mkdir()
    iso = make_iso(tmp_path / "x.iso", {"SOURCES/Install.Wim": WIM})
    log.take_steps()
    with MEDIA.open_install(iso) as media:
        assert [image.name for image in media.images] == ["Windows 11 Pro"]
        assert list(work.iterdir()) == []
        assert media.copied_bytes() == len(WIM)
        found = media.wim_file(work)
        assert found.read_bytes() == WIM
        assert found.name == "Install.Wim"
        assert found.parent.parent == work
        assert media.wim_file(work) == found
    assert [step.name for step in log.take_steps()] == [f"Copy Install.Wim out of {iso}"]
    assert list(work.iterdir()) == []


def test_split_wim_in_an_iso(tmp_path: Path) -> None:
    """All parts are copied into one folder."""
    one, two = (wim_bytes(image_xml(1, "x"), part=n, parts=2) for n in (1, 2))
    files = {"sources/install.swm": one, "sources/INSTALL2.swm": two, "sources/other": b"1"}
    iso = make_iso(tmp_path / "x.iso", files)
    with MEDIA.open_install(iso) as media:
        assert media.copied_bytes() == len(one) + len(two)
        found = media.wim_file(tmp_path)
        assert found.read_bytes() == one
        assert found.with_name("install2.swm").read_bytes() == two
        assert len(list(found.parent.iterdir())) == 2


def test_wim_in_an_iso_is_used_where_it_lies(tmp_path: Path) -> None:
    """Nothing is copied where the range of the ISO can be shown as a file."""
    work = tmp_path / "work"
    work.mkdir()
    iso = make_iso(tmp_path / "x.iso", {"sources/other": b"o", "SOURCES/Install.Wim": WIM})
    log.take_steps()
    with IN_PLACE.open_install(iso) as media:
        assert media.copied_bytes() == 0
        found = media.wim_file(work)
        assert found.name == "Install.Wim"
        assert found.read_bytes()[: len(WIM)] == WIM
        assert found.stat().st_size == len(WIM) + -len(WIM) % 512
        assert media.wim_file(work) == found
        assert isinstance(media, LinuxInstallMedia) and media.inside is not None
        holder, begin = media.inside
        assert holder.read_bytes()[begin : begin + len(WIM)] == WIM
    assert log.take_steps() == []
    assert list(work.iterdir()) == []


def test_split_wim_is_used_where_it_lies(tmp_path: Path) -> None:
    """Each part is a file of one folder, named as libwim looks for it."""
    one, two = (wim_bytes(image_xml(1, "x"), part=n, parts=2) for n in (1, 2))
    iso = make_iso(tmp_path / "x.iso", {"sources/install.swm": one, "sources/INSTALL2.swm": two})
    with IN_PLACE.open_install(iso) as media:
        found = media.wim_file(tmp_path)
        assert found.read_bytes().startswith(one)
        assert found.with_name("install2.swm").read_bytes().startswith(two)
        assert isinstance(media, LinuxInstallMedia) and media.inside is None


def test_a_wim_in_several_pieces_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a range that is in one piece can be shown as a file."""
    iso = make_iso(tmp_path / "x.iso", {"sources/install.wim": WIM})
    with IN_PLACE.open_install(iso) as media:
        monkeypatch.setattr(IsoTree, "extents", lambda *_: (Extent(0, 2048), Extent(6144, 100)))
        assert media.copied_bytes() == 2148
        assert media.wim_file(tmp_path).read_bytes() == (
            iso.read_bytes()[:2048] + iso.read_bytes()[6144:6244]
        )


def test_what_does_not_work_after_all_is_copied(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one line that says why, and how much."""
    monkeypatch.setattr(log.LOGGER, "propagate", True)
    caplog.set_level("INFO")
    iso = make_iso(tmp_path / "x.iso", {"sources/install.wim": WIM})
    with LinuxMedia(BrokenSlices()).open_install(iso) as media:
        assert media.wim_file(tmp_path).read_bytes() == WIM
        assert isinstance(media, LinuxInstallMedia) and media.inside is None
    line = f"install.wim is copied out of the ISO ({log.size(len(WIM))}): FUSE is broken."
    assert line in caplog.messages


def test_copy_is_removed_after_an_error(tmp_path: Path) -> None:
    """A build that fails leaves no copy."""
    work = tmp_path / "work"
    work.mkdir()
    iso = make_iso(tmp_path / "x.iso", {"sources/install.wim": WIM})
    with pytest.raises(KeyboardInterrupt), MEDIA.open_install(iso) as media:
        assert media.wim_file(work).exists()
        raise KeyboardInterrupt
    assert list(work.iterdir()) == []


def test_a_damaged_copy_is_that_of_the_iso(tmp_path: Path) -> None:
    """What is found while the copy is applied is told of the ISO; the copy is gone by then."""
    iso = make_iso(tmp_path / "x.iso", {"sources/install.wim": WIM})
    with pytest.raises(MediaError) as caught, MEDIA.open_install(iso) as media:
        raise MediaError(
            f"{media.wim_file(tmp_path)} is damaged: a resource is corrupted.", "Copy it again."
        )
    assert caught.value.message == (
        f"sources/install.wim in {iso} is damaged: a resource is corrupted."
    )
    assert caught.value.hint == "Copy it again."


def _swap(path: Path, content: bytes) -> None:
    """Put another file of the same size and time in place of one."""
    other = path.with_name("other")
    other.write_bytes(content)
    os.utime(other, ns=(0, path.stat().st_mtime_ns))
    other.replace(path)


def test_a_wim_that_is_replaced_after_the_edition_was_chosen(tmp_path: Path) -> None:
    """The build stops before it is applied."""
    path = tmp_path / "install.wim"
    path.write_bytes(WIM)
    with (
        pytest.raises(MediaError, match=r"install\.wim changed .* replaced by another file"),
        MEDIA.open_install(path) as media,
    ):
        _swap(path, WIM)
        media.wim_file(tmp_path)
        raise AssertionError("another WIM must not be applied")


def test_a_wim_that_is_replaced_while_it_is_applied(tmp_path: Path) -> None:
    """The build stops when it is asked afterwards, before anything is delivered."""
    path = tmp_path / "install.wim"
    path.write_bytes(WIM)
    with MEDIA.open_install(path) as media:
        assert media.wim_file(tmp_path) == path
        media.check_unchanged()
        _swap(path, WIM)
        with pytest.raises(MediaError, match=r"install\.wim changed .* replaced by another file"):
            media.check_unchanged()


def test_damage_of_a_medium_that_changed_is_told_as_the_change(tmp_path: Path) -> None:
    """A download that goes on is no damaged medium."""
    path = tmp_path / "install.wim"
    path.write_bytes(WIM)
    with (
        pytest.raises(MediaError, match=r"install\.wim changed .* has \d+ now"),
        MEDIA.open_install(path),
    ):
        path.write_bytes(WIM + b"more")
        raise MediaError("install.wim is damaged.")


def test_a_part_of_a_split_wim_that_is_replaced(tmp_path: Path) -> None:
    """All parts are one medium."""
    one, two = (wim_bytes(image_xml(1, "x"), part=n, parts=2) for n in (1, 2))
    (tmp_path / "install.swm").write_bytes(one)
    (tmp_path / "Install2.swm").write_bytes(two)
    with MEDIA.open_install(tmp_path / "install.swm") as media:
        _swap(tmp_path / "Install2.swm", two)
        with pytest.raises(MediaError, match=r"Install2\.swm changed"):
            media.check_unchanged()


def test_an_iso_that_is_replaced(tmp_path: Path) -> None:
    """Before its WIM was copied it stops the build, afterwards the ISO is not needed."""
    work = tmp_path / "work"
    work.mkdir()
    iso = make_iso(tmp_path / "x.iso", {"sources/install.wim": WIM})
    with pytest.raises(MediaError, match=r"x\.iso changed"), MEDIA.open_install(iso) as media:
        _swap(iso, iso.read_bytes())
        media.wim_file(work)
    assert list(work.iterdir()) == []
    with MEDIA.open_install(iso) as media:
        assert media.wim_file(work).read_bytes() == WIM
        iso.unlink()
        media.check_unchanged()
        assert media.wim_file(work).read_bytes() == WIM


def test_an_iso_that_is_read_in_place_is_needed_to_the_end(tmp_path: Path) -> None:
    """Nothing was copied out of it, so what is written to it is written to the WIM."""
    iso = make_iso(tmp_path / "x.iso", {"sources/install.wim": WIM})
    with IN_PLACE.open_install(iso) as media:
        media.wim_file(tmp_path)
        os.utime(iso, ns=(0, 0))
        with pytest.raises(MediaError, match=r"x\.iso changed while it was used: it was written"):
            media.check_unchanged()


def test_no_room_for_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little room is told before the copy begins."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(100, 0, 100))
    iso = make_iso(tmp_path / "x.iso", {"sources/install.wim": WIM})
    with (
        MEDIA.open_install(iso) as media,
        pytest.raises(DiskFullError, match=r"has only 100 bytes left\."),
    ):
        media.wim_file(tmp_path)
    assert list(tmp_path.iterdir()) == [iso]


def test_damaged_medium(tmp_path: Path) -> None:
    """A medium that cannot be used is refused when it is opened."""
    path = tmp_path / "install.wim"
    path.write_bytes(b"no")
    with pytest.raises(MediaError, match="is not a WIM file"), MEDIA.open_install(path):
        pass


def test_open_source(tmp_path: Path) -> None:
    """ISOs and folders are opened for reading."""
    (tmp_path / "a").write_bytes(b"1")
    with MEDIA.open_source(tmp_path) as tree:
        assert tree.read_bytes("A") == b"1"
