"""What a WIM holds, from its header and XML."""

from __future__ import annotations

import errno
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.fakes import MemorySource
from tests.unit.iso_bytes import make_iso
from tests.unit.wim_bytes import GUID, SOLID, image_xml, pipable, wim_bytes
from winimagetools.errors import MediaError
from winimagetools.formats.wim.container import find_beside, part_names
from winimagetools.formats.wim.editions import (
    find_install_file,
    get_wim_file_images_info,
    read_wim,
    select_image,
)
from winimagetools.model import Architecture, OtherImage, WimImage, WindowsVersion

STANDARD = "Windows Server 2022 SERVERSTANDARD"
CORE = "Windows Server 2022 SERVERSTANDARDCORE"
WHOLE = wim_bytes(image_xml(1, STANDARD), image_xml(2, CORE))
PIPABLE = pipable(image_xml(1, STANDARD), image_xml(2, CORE))


def put(folder: Path, data: bytes, name: str = "install.wim") -> Path:
    """A file with this content."""
    path = folder / name
    path.write_bytes(data)
    return path


def refusal(path: Path) -> str:
    """The sentence with which a file is refused."""
    with pytest.raises(MediaError) as caught:
        get_wim_file_images_info(path)
    return caught.value.message


def image(index: int, name: str) -> WimImage:
    """An edition of which only index and name matter."""
    version = WindowsVersion(10, 0, 20348)
    return WimImage(index, name, Architecture.AMD64, version, "Server")


def listing(*files: str) -> MemorySource:
    """A medium with files that nobody reads."""
    return MemorySource(dict.fromkeys(files, b""))


def test_every_field(tmp_path: Path) -> None:
    """All fields of the PowerShell tools come from their XML elements."""
    xml = image_xml(
        4,
        STANDARD,
        windows="<EDITIONID>ServerStandard</EDITIONID><INSTALLATIONTYPE>Server</INSTALLATIONTYPE>"
        "<PRODUCTTYPE>ServerNT</PRODUCTTYPE><LANGUAGES><LANGUAGE>en-US</LANGUAGE>"
        "<LANGUAGE>\n de-DE </LANGUAGE><LANGUAGE/><LANGUAGE> </LANGUAGE>"
        "<DEFAULT>en-US</DEFAULT></LANGUAGES>",
        extra="<FLAGS>ServerStandard</FLAGS><DESCRIPTION>About it</DESCRIPTION>"
        "<DISPLAYNAME>Windows Server 2022 Standard (Desktop Experience)</DISPLAYNAME>"
        "<DISPLAYDESCRIPTION>For people</DISPLAYDESCRIPTION><TOTALBYTES>15012345678</TOTALBYTES>",
    )
    assert get_wim_file_images_info(put(tmp_path, wim_bytes(xml))) == [
        WimImage(
            index=4,
            name=STANDARD,
            architecture=Architecture.AMD64,
            version=WindowsVersion(10, 0, 20348, 587),
            installation_type="Server",
            edition_id="ServerStandard",
            flags="ServerStandard",
            product_type="ServerNT",
            description="About it",
            display_name="Windows Server 2022 Standard (Desktop Experience)",
            display_description="For people",
            size=15012345678,
            default_language="en-US",
            languages=("en-US", "de-DE"),
        )
    ]


@pytest.mark.parametrize(
    ("number", "architecture"),
    [("0", "x86"), ("5", "arm"), ("6", "ia64"), ("9", "amd64"), ("12", "arm64"), ("0x9", "amd64")],
)
def test_architectures(tmp_path: Path, number: str, architecture: str) -> None:
    """The numbers of processor architectures get their names."""
    path = put(tmp_path, wim_bytes(image_xml(1, "x", arch=number)))
    assert get_wim_file_images_info(path)[0].architecture == architecture


def test_missing_elements_are_empty(tmp_path: Path) -> None:
    """Only architecture and version are needed; other elements may be missing."""
    data = wim_bytes('<IMAGE INDEX="1"><WINDOWS><ARCH>0</ARCH><VERSION><MAJOR>6</MAJOR>'
                     "<MINOR>1</MINOR></VERSION></WINDOWS></IMAGE>")  # fmt: skip
    assert get_wim_file_images_info(put(tmp_path, data)) == [
        WimImage(1, "", Architecture.X86, WindowsVersion(6, 1, 0, 0))
    ]


def test_images_that_are_no_windows(tmp_path: Path) -> None:
    """Images without Windows are kept apart, each with the reason."""
    info = read_wim(
        put(
            tmp_path,
            wim_bytes(
                '<IMAGE INDEX="1"><NAME>Windows Setup Media</NAME></IMAGE>',
                image_xml(2, STANDARD),
                image_xml(3, "odd", arch="77"),
                image_xml(4, "older", version=None),
            ),
        )
    )
    assert [i.name for i in info.images] == [STANDARD]
    assert info.others == (
        OtherImage(1, "Windows Setup Media", "holds no Windows installation"),
        OtherImage(3, "odd", "names no known processor architecture"),
        OtherImage(4, "older", "does not tell its Windows version"),
    )


def test_images_are_in_the_order_of_their_index(tmp_path: Path) -> None:
    """The order of the elements does not matter."""
    path = put(tmp_path, wim_bytes(image_xml(2, "b"), image_xml(1, "a")))
    assert [(i.index, i.name) for i in get_wim_file_images_info(path)] == [(1, "a"), (2, "b")]


def test_a_solid_file(tmp_path: Path) -> None:
    """An ESD differs in its version only."""
    data = wim_bytes(image_xml(1, STANDARD), version=SOLID, flags=0x80082)
    assert [i.name for i in get_wim_file_images_info(put(tmp_path, data, "a.esd"))] == [STANDARD]


def test_names_outside_ascii(tmp_path: Path) -> None:
    """Names in any script and with XML entities are read."""
    path = put(tmp_path, wim_bytes(image_xml(1, "Windows 专业版 <&>")))
    assert get_wim_file_images_info(path)[0].name == "Windows 专业版 <&>"


def test_other_ways_to_store_the_xml(tmp_path: Path) -> None:
    """The byte order mark may be missing, and zeros may follow."""
    text = f"<WIM>{image_xml(1, STANDARD)}</WIM>"
    for xml in (text, f"\ufeff{text}", f"{text}\0\0", f'<?xml version="1.0"?>{text}'):
        path = put(tmp_path, wim_bytes(xml=xml.encode("utf-16-le"), count=1))
        assert [i.name for i in get_wim_file_images_info(path)] == [STANDARD]


# --- what is refused --------------------------------------------------------------------


def test_missing_file(tmp_path: Path) -> None:
    """A path that is wrong is named."""
    assert refusal(tmp_path / "no.wim") == f"{tmp_path / 'no.wim'} does not exist."


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"MZ" + bytes(500), "is not a WIM file"),
        (b"MSWIM\0\0\0" + bytes(30), "is cut off: it has 38 bytes"),
        (pipable(image_xml(1, "x"))[:-1], "the header at the end of a pipable WIM is missing"),
        (pipable(image_xml(1, "x"))[:208], "the header at the end of a pipable WIM is missing"),
        (wim_bytes(xml=bytes(8 * 1024 * 1024 + 2)), "it has no readable description"),
        (wim_bytes(version=0x20000), "is damaged: its header has version 0x20000"),
        (wim_bytes(flags=0x40), "never written to the end"),
        (wim_bytes(part=2, parts=3), "is part 2 of 3 of a split WIM"),
        (wim_bytes(part=0, parts=0), "it says it is part 0 of 0"),
        (wim_bytes(image_xml(1, "x"))[:-1], "is cut off: it has "),
        (wim_bytes(blob_end=10**12), "should have at least 1000000000000"),
        (wim_bytes(xml=b""), "it has no readable description"),
        (wim_bytes(image_xml(1, "x"), xml_flags=6), "it has no readable description"),
        (wim_bytes(xml=b"\xff\xfe\x00\xd8a\0"), "description of its images cannot be read"),
        (wim_bytes(xml="<WIM><IMAGE>".encode("utf-16-le")), "cannot be read (no element found"),
        (wim_bytes(xml="<HTML/>".encode("utf-16-le")), "cannot be read (it describes a HTML)"),
        (wim_bytes(image_xml(1, "x"), count=2), "counts 2 images and its description 1"),
        (
            wim_bytes(image_xml(1, "x"), '<IMAGE INDEX="2"/>', count=1),
            "counts 1 images and its description 2",
        ),
        (
            wim_bytes("<ESD><ENCRYPTED>YES</ENCRYPTED></ESD>", image_xml(1, "x")),
            "is an encrypted ESD",
        ),
        (
            wim_bytes(xml='<!DOCTYPE a [<!ENTITY b "c">]><WIM>&b;</WIM>'.encode("utf-16-le")),
            "cannot be read (EntitiesForbidden",
        ),
    ],
)
def test_refused(tmp_path: Path, data: bytes, words: str) -> None:
    """Each kind of unusable file has its own sentence, beginning with its path."""
    message = refusal(put(tmp_path, data))
    assert message.startswith(str(tmp_path / "install.wim"))
    assert words in message


def test_folder(tmp_path: Path) -> None:
    """A folder is not a WIM."""
    assert refusal(tmp_path) == f"{tmp_path} is a folder."


# --- split WIMs -------------------------------------------------------------------------


def parts(folder: Path, *numbers: int, total: int = 3, guid: bytes = GUID) -> Path:
    """Some parts of a split WIM; the path of the first one."""
    for number in numbers:
        name = part_names("install.swm", number)[-1]
        put(folder, wim_bytes(image_xml(1, "x"), part=number, parts=total, guid=guid), name)
    return folder / "install.swm"


def test_complete_split_wim(tmp_path: Path) -> None:
    """The first part of a complete set is enough to read what it holds."""
    assert get_wim_file_images_info(parts(tmp_path, 1, 2, 3))[0].name == "x"


def test_parts_in_other_letter_case(tmp_path: Path) -> None:
    """Parts copied from a medium in another letter case are found."""
    path = parts(tmp_path, 1, 2, total=2)
    (tmp_path / "install2.swm").rename(tmp_path / "INSTALL2.SWM")
    assert get_wim_file_images_info(path)[0].name == "x"
    assert find_beside(path, "install2.swm") in (
        tmp_path / "INSTALL2.SWM",
        tmp_path / "install2.swm",
    )


def test_missing_parts(tmp_path: Path) -> None:
    """Missing parts are named, all of them up to five."""
    assert "install2.swm, install3.swm are not beside it" in refusal(parts(tmp_path, 1))
    assert "install3.swm is not beside it" in refusal(parts(tmp_path, 1, 2))
    path = parts(tmp_path, 1, total=60000)
    (tmp_path / "install2.swm").unlink()
    assert "install6.swm and more are not beside it" in refusal(path)


def test_foreign_part(tmp_path: Path) -> None:
    """A part of another set is not taken for one of this."""
    parts(tmp_path, 2, total=2, guid=bytes(16))
    message = refusal(parts(tmp_path, 1, total=2))
    assert message == f"{tmp_path / 'install2.swm'} does not belong to {tmp_path / 'install.swm'}."


# --- inside an ISO ----------------------------------------------------------------------


def test_in_an_iso(tmp_path: Path) -> None:
    """The WIM inside an ISO is read in place, whatever its letter case."""
    path = make_iso(
        tmp_path / "win.iso", {"Sources/Install.ESD": wim_bytes(image_xml(1, STANDARD))}
    )
    info = read_wim(path)
    assert [i.name for i in info.images] == [STANDARD]
    assert info.source == f"Sources/Install.ESD in {path}"
    assert [i.name for i in get_wim_file_images_info(path.rename(tmp_path / "win"))] == [STANDARD]


def test_split_in_an_iso(tmp_path: Path) -> None:
    """The parts of a split WIM are looked for inside the ISO."""
    one, two = (wim_bytes(image_xml(1, "x"), part=n, parts=2) for n in (1, 2))
    whole = {"sources/install.swm": one, "sources/install2.swm": two}
    assert get_wim_file_images_info(make_iso(tmp_path / "a.iso", whole))[0].name == "x"
    path = make_iso(tmp_path / "b.iso", {"sources/install.swm": one})
    assert "install2.swm is not beside it" in refusal(path)


class Scratched(io.BytesIO):
    """A file on a medium that cannot be read."""

    def read(self, size: int | None = -1) -> bytes:
        """Fail as a damaged disc does."""
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (None, "could not be read: Input/output error."),
        (PermissionError(errno.EACCES, "Permission denied"), "could not be opened: Permission"),
    ],
)
def test_a_file_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: OSError | None, message: str
) -> None:
    """The reason is that of the system."""
    path = put(tmp_path, WHOLE)

    def opening(*_: object) -> io.BytesIO:
        if refused:
            raise refused
        return Scratched(WHOLE)

    monkeypatch.setattr(Path, "open", opening)
    assert refusal(path).startswith(f"{path} {message}")


def test_damaged_in_an_iso(tmp_path: Path) -> None:
    """The message about a WIM inside an ISO names both."""
    path = make_iso(tmp_path / "win.iso", {"sources/install.wim": b"no"})
    assert refusal(path).startswith(f"sources/install.wim in {path} is not a WIM file")


@pytest.mark.parametrize("name", ["wim", "esd", "swm"])
def test_find_install_file(name: str) -> None:
    """The install file is found in any letter case."""
    assert find_install_file(listing("x", f"SOURCES/Install.{name}")) == f"SOURCES/Install.{name}"


def test_wim_is_preferred() -> None:
    """A WIM comes before an ESD."""
    assert find_install_file(listing("sources/install.esd", "sources/install.wim")).endswith("wim")


def test_no_install_file() -> None:
    """The error lists the image files there are."""
    with pytest.raises(MediaError, match=r"only sources/boot\.wim, x64/sources/install\.esd\."):
        find_install_file(listing("setup.exe", "sources/boot.wim", "x64/sources/install.esd"))
    with pytest.raises(MediaError, match="no Windows installation medium"):
        find_install_file(listing("setup.exe"))


def test_lost_fields_are_derived(tmp_path: Path) -> None:
    """A repackaged server is still a server; what nothing tells stays empty."""
    mine = image_xml(2, "mine", version=(10, 0, 17763))
    path = put(tmp_path, wim_bytes(image_xml(1, STANDARD), mine))
    server, unknown = get_wim_file_images_info(path)
    assert (server.installation_type, server.edition_id) == ("Server", "ServerStandard")
    assert server.product_type == "ServerNT"
    assert (unknown.installation_type, unknown.edition_id) == ("", "")


# --- choosing ---------------------------------------------------------------------------

IMAGES = [image(1, CORE), image(2, STANDARD), image(3, "2"), image(7, STANDARD.upper())]


@pytest.mark.parametrize(
    ("name", "index"),
    [
        (CORE, 1),
        (CORE.lower(), 1),
        (STANDARD, 2),
        (f" {STANDARD} ", 2),
        (STANDARD.upper(), 7),
        ("2", 3),
        ("7", 7),
    ],
)
def test_select(name: str, index: int) -> None:
    """The name in its letter case counts first, then in any; then the index."""
    assert select_image(IMAGES, name, "win.iso").index == index


def test_select_asks_for_an_index() -> None:
    """Two editions of one name are never told apart by chance."""
    with pytest.raises(MediaError) as caught:
        select_image(IMAGES, STANDARD.lower(), "win.iso")
    assert caught.value.message == f'win.iso has 2 editions called "{STANDARD.lower()}".'
    assert caught.value.hint == (
        "Set image_name to the index of one of them: "
        "2 (amd64, 10.0.20348.0), 7 (amd64, 10.0.20348.0)."
    )
    assert caught.value.option == "image_name"


def test_select_lists_the_nearest_first() -> None:
    """The error names every edition once, the most similar first."""
    with pytest.raises(MediaError) as caught:
        select_image(IMAGES, "Windows Server 2022 SERVERSTANDRD", "win.iso")
    assert caught.value.message == (
        'There is no Windows edition called "Windows Server 2022 SERVERSTANDRD" in win.iso.'
    )
    assert caught.value.hint.startswith(f'Set image_name to one of: "{STANDARD}", ')
    assert caught.value.hint.endswith('"2".')


@pytest.mark.parametrize("name", ["", " ", "x"])
def test_select_without_names(name: str) -> None:
    """An edition without a name is chosen by its index, and an empty name chooses nothing."""
    with pytest.raises(MediaError) as caught:
        select_image([image(1, ""), image(2, "")], name, "win.iso")
    assert caught.value.hint == "Set image_name to one of: 1 (no name), 2 (no name)."
    assert select_image([image(1, ""), image(2, "")], "2", "win.iso").index == 2


def test_select_refuses_what_nobody_can_tell() -> None:
    """Neither client nor server: refused, unless what it holds tells."""
    unknown = [replace(image(1, "mine"), installation_type="")]
    with pytest.raises(MediaError, match=r"Nothing in win\.iso tells whether .mine. is a"):
        select_image(unknown, "mine", "win.iso")
    with pytest.raises(MediaError, match=r"Nothing in win\.iso"):
        select_image(unknown, "mine", "win.iso", look_inside=lambda found: found)
    found = select_image(
        unknown, "mine", "win.iso", look_inside=lambda one: replace(one, installation_type="Server")
    )
    assert found.is_server


def test_select_what_is_no_windows() -> None:
    """Asking for an image that is no Windows says so."""
    others = [OtherImage(9, "Windows Setup Media", "holds no Windows installation")]
    for name in ("windows setup media", "9"):
        with pytest.raises(MediaError, match="because it holds no Windows installation"):
            select_image(IMAGES, name, "win.iso", others)


def test_select_from_nothing() -> None:
    """A WIM without any edition is told apart."""
    with pytest.raises(MediaError, match="holds no Windows edition at all"):
        select_image([], "x", "data.wim")


# --- whatever the bytes are --------------------------------------------------------------


def only_media_errors(folder: Path, data: bytes) -> None:
    """Read the bytes as a WIM; a MediaError is the only thing that may happen."""
    try:
        for found in get_wim_file_images_info(put(folder, data)):
            assert isinstance(found, WimImage)
    except MediaError as error:
        assert error.message.endswith(".")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    whole=st.sampled_from([WHOLE, PIPABLE]),
    changes=st.lists(st.tuples(st.integers(0, len(PIPABLE) - 1), st.binary(max_size=8))),
)
def test_mutated_bytes(tmp_path: Path, whole: bytes, changes: list[tuple[int, bytes]]) -> None:
    """Changed bytes give images or a MediaError, nothing else."""
    data = bytearray(whole)
    for at, piece in changes:
        data[at : at + len(piece)] = piece
    only_media_errors(tmp_path, bytes(data))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(xml=st.one_of(st.text(), st.from_regex(r"<WIM>(<IMAGE[^>]{0,9}>.{0,20}</IMAGE>)*</WIM>")))
def test_any_xml(tmp_path: Path, xml: str) -> None:
    """Any text in place of the XML gives images or a MediaError."""
    data = wim_bytes(xml=xml.encode("utf-16-le", "surrogatepass"), guid=GUID)
    only_media_errors(tmp_path, data)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(0, len(WHOLE) - 1), tail=st.binary(max_size=30))
def test_cut_anywhere(tmp_path: Path, length: int, tail: bytes) -> None:
    """A file cut at any length, with anything after, gives images or a MediaError."""
    only_media_errors(tmp_path, WHOLE[:length] + tail)


def test_a_pipable_wim(tmp_path: Path) -> None:
    """Its header is taken from its end, where it is complete."""
    path = tmp_path / "x.wim"
    path.write_bytes(pipable(image_xml(1, "Edition")))
    info = read_wim(path)
    assert [image.name for image in info.images] == ["Edition"]
    assert info.header.pipable is True
    path.write_bytes(wim_bytes(image_xml(1, "Edition")))
    assert read_wim(path).header.pipable is False


def test_editions_without_a_name(tmp_path: Path) -> None:
    """They are offered by their index, no empty quotes."""
    path = tmp_path / "x.wim"
    path.write_bytes(wim_bytes(image_xml(1, "Windows"), image_xml(2, ""), image_xml(3, "")))
    images = read_wim(path).images
    with pytest.raises(MediaError) as caught:
        select_image(images, "Window", path)
    assert caught.value.hint == 'Set image_name to one of: "Windows", 2 (no name), 3 (no name).'


def test_a_message_stays_short(tmp_path: Path) -> None:
    """A medium with a thousand image files does not fill the screen."""
    tree = MemorySource({f"a/{number:03}.wim": b"" for number in range(1000)})
    with pytest.raises(MediaError, match=r"a/039\.wim and 960 more\.") as caught:
        find_install_file(tree)
    assert len(caught.value.message) < 700
