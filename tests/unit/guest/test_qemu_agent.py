"""The QEMU guest agent: the decision in full, and following it."""

from __future__ import annotations

import hashlib
import itertools
import logging
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.fakes import FakeFetcher, MemorySource, MemoryTree, put
from winimagetools.errors import ChecksumError, DownloadError, MediaError, RequestError
from winimagetools.guest import qemu_agent
from winimagetools.guest.qemu_agent import Decision, FromFile, FromIso, FromWeb, IsoState
from winimagetools.model import Architecture

URL = "https://example.org/agent.msi"
INSTALL_URL = "https://example.com/custom-qemu-ga.msi"
MSI = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 installer"
SHA256 = hashlib.sha256(MSI).hexdigest()
ARCHIVE = "https://fedorapeople.org/groups/virt/virtio-win/direct-downloads/archive-qemu-ga/"
DEFAULT = {
    Architecture.AMD64: ARCHIVE + "qemu-ga-win-100.0.0.0-3.el7ev/qemu-ga-x64.msi",
    Architecture.X86: ARCHIVE + "qemu-ga-win-100.0.0.0-3.el7ev/qemu-ga-x86.msi",
}
SOURCES = ("web", "iso", "auto", "floppy", "", "WEB", "Iso", "AUTO", " iso ")
TABLE = list(
    itertools.product(
        ("False", "True", INSTALL_URL, "", "false", "TRUE"),
        SOURCES,
        ("", URL),
        ("", SHA256, SHA256.upper()),
        IsoState,
        Architecture,
    )
)


def expected(
    install: str, source: str, url: str, checksum: str, iso: IsoState, arch: Architecture
) -> tuple[FromIso | FromWeb, ...] | str:
    """The rules of the README, row by row; a text is part of the refusal."""
    if install in ("", "False", "false"):
        return ()
    if url and checksum:
        return (FromWeb(URL, SHA256),)
    web: FromWeb | None = None
    if install == INSTALL_URL:
        web = FromWeb(INSTALL_URL)
    elif arch in DEFAULT:
        web = FromWeb(DEFAULT[arch])
    missing = f"no default QEMU guest agent download for {arch}"
    match source.strip().lower():
        case "iso" if iso is IsoState.NOT_GIVEN:
            return "virtio_iso_path is not set"
        case "iso" if iso is IsoState.MISSING:
            return "virtio_iso_path does not exist: /isos/virtio.iso"
        case "iso" if iso is IsoState.WITHOUT_MSI:
            return f"holds no QEMU guest agent for {arch}"
        case "iso":
            return (FromIso(arch),)
        case "auto" if iso is IsoState.PRESENT:
            return (FromIso(arch), web) if web else (FromIso(arch),)
    return (web,) if web else missing


def decide(
    install: str,
    source: str = "web",
    url: str = "",
    checksum: str = "",
    iso: IsoState = IsoState.PRESENT,
    architecture: Architecture = Architecture.AMD64,
) -> Decision:
    """:func:`guest_agent.decide` with an ISO that has a name."""
    return qemu_agent.decide(
        install,
        source=source,
        url=url,
        checksum=checksum,
        iso=iso,
        architecture=architecture,
        iso_path="/isos/virtio.iso",
    )


def test_every_combination_of_options() -> None:
    """Install x source x url x checksum x ISO x architecture: exactly the rules."""
    for row in TABLE:
        wanted = expected(*row)
        if isinstance(wanted, str):
            with pytest.raises(RequestError) as caught:
                decide(*row)
            assert wanted in str(caught.value), row
        else:
            assert decide(*row).attempts == wanted, row
    assert len(TABLE) == 6 * 9 * 2 * 3 * 4 * 5


@pytest.mark.parametrize(("url", "checksum"), [(URL, ""), ("", SHA256)])
def test_url_and_checksum_belong_together(url: str, checksum: str) -> None:
    """One without the other is ignored; reading the configuration warns about it."""
    assert decide("True", "web", url, checksum).attempts == (FromWeb(DEFAULT[Architecture.AMD64]),)


@pytest.mark.parametrize("checksum", ["abc", SHA256[:-1], SHA256 + "0", "g" * 64])
def test_a_checksum_that_is_none_is_refused(checksum: str) -> None:
    """It could never match, so it is refused before anything is downloaded."""
    with pytest.raises(RequestError, match="not a SHA-256"):
        decide("True", "web", URL, checksum)


@pytest.mark.parametrize("value", ["yes", "1", r"C:\agent.exe", "ftp://example.org/a.msi"])
@pytest.mark.parametrize("source", ["web", "auto"])
def test_a_value_that_is_no_url_is_refused(value: str, source: str) -> None:
    """``install_qemu_ga`` is True, False or a URL."""
    with pytest.raises(RequestError, match="neither True nor False, nor a URL"):
        decide(value, source)


OPTIONS = st.tuples(
    st.sampled_from(["True", "False", "", INSTALL_URL, "nonsense"]) | st.text(max_size=8),
    st.sampled_from(SOURCES) | st.text(max_size=5),
    st.sampled_from(["", URL]),
    st.sampled_from(["", SHA256, "abc"]),
    st.sampled_from(IsoState),
    st.sampled_from(Architecture),
)


def outcome(row: tuple[str, str, str, str, IsoState, Architecture]) -> Decision | str:
    """The decision, or the refusal as text."""
    try:
        return decide(*row)
    except RequestError as error:
        return str(error)


@settings(max_examples=200, deadline=None)
@given(OPTIONS)
def test_the_decision_is_deterministic(
    row: tuple[str, str, str, str, IsoState, Architecture],
) -> None:
    """Asking twice gives the same answer."""
    assert outcome(row) == outcome(row)


@settings(max_examples=200, deadline=None)
@given(OPTIONS)
def test_source_iso_never_touches_the_network(
    row: tuple[str, str, str, str, IsoState, Architecture],
) -> None:
    """Without url and checksum, ``iso`` decides on an ISO that is there or refuses."""
    install, _, url, checksum, iso, architecture = row
    assume(not (url and checksum))
    found = outcome((install, " ISO", url, checksum, iso, architecture))
    if install.strip().casefold() in ("", "false"):
        assert found == Decision()
    elif iso is IsoState.PRESENT:
        assert isinstance(found, Decision)
        assert found.attempts == (FromIso(architecture),)
    else:
        assert isinstance(found, str)


@settings(max_examples=200, deadline=None)
@given(OPTIONS)
def test_a_checksum_given_with_a_url_is_always_verified(
    row: tuple[str, str, str, str, IsoState, Architecture],
) -> None:
    """Whatever else is set, the only attempt carries the checksum."""
    install, source, _, _, iso, architecture = row
    assume(install.strip().casefold() not in ("", "false"))
    assert outcome((install, source, URL, SHA256, iso, architecture)) == Decision(
        (FromWeb(URL, SHA256),)
    )


PLACES = {
    Architecture.AMD64: (
        "guest-agent/qemu-ga-x86_64.msi",
        "guest-agent/qemu-ga-x64.msi",
        "guest-agent/qemu-ga-x86_64/qemu-ga-x86_64.msi",
        "guest-agent/x86_64/qemu-ga-x86_64.msi",
        "qemu-ga/qemu-ga-x86_64.msi",
        "qemu-ga-x86_64.msi",
        "x86_64/qemu-ga-x86_64.msi",
    ),
    Architecture.X86: (
        "guest-agent/qemu-ga-i386.msi",
        "guest-agent/qemu-ga-x86.msi",
        "guest-agent/qemu-ga-i386/qemu-ga-i386.msi",
        "guest-agent/i386/qemu-ga-i386.msi",
        "qemu-ga/qemu-ga-i386.msi",
        "qemu-ga-i386.msi",
        "i386/qemu-ga-i386.msi",
    ),
}


@pytest.mark.parametrize("architecture", list(PLACES))
def test_the_known_places_come_first_and_in_order(architecture: Architecture) -> None:
    """Each place is found when those before it are empty, whatever the letter case."""
    everything = {place.upper(): b"x" for place in PLACES[architecture]}
    decoy = {"a/my-qemu-ga-i386.msi": b"", "a/my-qemu-ga-x86_64.msi": b""}
    for place in PLACES[architecture]:
        source = MemorySource({**everything, **decoy})
        assert qemu_agent.find_in_iso(source, architecture) == place.upper()
        del everything[place.upper()]
    assert qemu_agent.places(architecture) == PLACES[architecture]


@pytest.mark.parametrize(
    ("name", "architectures"),
    [
        ("qemu-ga-x86_64.msi", {Architecture.AMD64}),
        ("qemu-ga-x64.msi", {Architecture.AMD64}),
        ("QEMU-GA-X86_64.MSI", {Architecture.AMD64}),
        ("qemu-ga-x86-64.msi", set()),
        ("qemu-ga-i386.msi", {Architecture.X86}),
        ("qemu-ga-x86.msi", {Architecture.X86}),
        ("qemu-ga_x86.msi", {Architecture.X86}),
        ("qemu-ga-aarch64.msi", {Architecture.ARM64}),
        ("qemu-ga-arm64.msi", {Architecture.ARM64}),
        ("qemu-ga-win-105.0.2-x64.msi", {Architecture.AMD64}),
        ("qemu-ga-x86-and-x64.msi", {Architecture.X86, Architecture.AMD64}),
        ("qemu-ga.msi", set()),
    ],
)
def test_architectures_in_a_file_name(name: str, architectures: set[Architecture]) -> None:
    """``x86`` never matches inside ``x86_64``, and no name counts for two."""
    assert qemu_agent.architectures_in(name) == architectures


@pytest.mark.parametrize("path", ["tools/v2/qemu-ga-win-x86.msi", "a/b/c/New-QEMU-GA-i386-1.MSI"])
def test_other_folders_are_searched_too(path: str) -> None:
    """An installer anywhere counts; files of other names and architectures do not."""
    source = MemorySource(
        {
            "a/qemu-ga-x86_64.msi.txt": b"",
            "a/qemu-ga-win-x64.msi": b"",
            "a/qemu-ga-i386.exe": b"",
            "a/spice-i386.msi": b"",
            path: b"",
        }
    )
    assert qemu_agent.find_in_iso(source, Architecture.X86) == path
    assert qemu_agent.find_in_iso(source, Architecture.AMD64) == "a/qemu-ga-win-x64.msi"


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["guest-agent", "x64", "x86", "i386", "x86_64", "deep/er"]),
    st.sampled_from(["qemu-ga", "my-qemu-ga", "Qemu-GA-win-108"]),
    st.sampled_from([name for entry in PLACES.values() for name in entry[:2]]),
    st.sampled_from(list(PLACES)),
)
def test_never_the_installer_of_another_architecture(
    folder: str, stem: str, named: str, architecture: Architecture
) -> None:
    """A single installer is found by exactly the architecture its name has."""
    spelling = named.removeprefix("guest-agent/qemu-ga-")
    source = MemorySource({f"{folder}/{stem}-{spelling}": b""})
    found = qemu_agent.find_in_iso(source, architecture) is not None
    assert found == (named in PLACES[architecture])


def test_arm64_is_found_by_its_name() -> None:
    """An ISO that does have an ARM64 installer is used."""
    source = MemorySource({"guest-agent/qemu-ga-aarch64.msi": b""})
    assert qemu_agent.find_in_iso(source, Architecture.ARM64) == "guest-agent/qemu-ga-aarch64.msi"


FULL_ISO = {"guest-agent/qemu-ga-x86_64.msi": MSI, "guest-agent/qemu-ga-i386.msi": b"32-bit"}
WEB_MSI = MSI + b" from the web"
TARGET = "UnattendResources/qemu-ga.msi"


def acquire(
    decision: Decision, fetcher: FakeFetcher, iso: dict[str, bytes] | None = None
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """What comes into the image, and what was passed over on the way."""
    isos = [MemorySource(iso)] if iso is not None else []
    addition, passed = qemu_agent.installer(decision, isos)
    return put(addition, fetcher=fetcher), passed


def test_the_installer_comes_from_the_iso(tmp_path: Path) -> None:
    """``iso`` copies the right file and asks the network for nothing."""
    fetcher = FakeFetcher(tmp_path)
    assert acquire(decide("True", "iso"), fetcher, FULL_ISO) == ({TARGET: MSI}, ())
    assert fetcher.asked == []


def test_where_it_came_from_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The address, or the place on the ISO."""
    fetcher = FakeFetcher(tmp_path, {INSTALL_URL: WEB_MSI})
    with caplog.at_level(logging.INFO, "winimagetools"):
        acquire(decide(INSTALL_URL, "web"), fetcher)
        acquire(decide("True", "iso"), fetcher, FULL_ISO)
    assert [item.getMessage() for item in caplog.records] == [
        f"QEMU guest agent: {INSTALL_URL}",
        "QEMU guest agent: guest-agent/qemu-ga-x86_64.msi from virtio-win.iso",
    ]


def test_an_iso_without_installer_stops_source_iso() -> None:
    """The error names the architecture and where was searched, before anything is made."""
    iso = MemorySource({"guest-agent/qemu-ga-i386.msi": b""})
    with pytest.raises(MediaError) as caught:
        qemu_agent.installer(decide("True", "iso"), [iso])
    for text in ("amd64", "virtio-win.iso", *PLACES[Architecture.AMD64], "*qemu-ga*x64*.msi"):
        assert text in str(caught.value)


def test_auto_prefers_the_iso(tmp_path: Path) -> None:
    """With an installer on the ISO nothing is downloaded."""
    fetcher = FakeFetcher(tmp_path)
    assert acquire(decide("True", "auto"), fetcher, FULL_ISO) == ({TARGET: MSI}, ())
    assert fetcher.asked == []


def test_auto_falls_back_to_the_network(tmp_path: Path) -> None:
    """An ISO without installer is told; the default download follows."""
    url = DEFAULT[Architecture.AMD64]
    fetcher = FakeFetcher(tmp_path, {url: WEB_MSI})
    content, (passed,) = acquire(decide("True", "auto"), fetcher, {})
    assert content == {TARGET: WEB_MSI}
    assert fetcher.asked == [url]
    assert "holds no QEMU guest agent for amd64" in passed


def test_auto_falls_back_when_the_iso_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged ISO shows only when the installer is copied; it ends in the download too."""
    url = DEFAULT[Architecture.AMD64]
    source = MemorySource(dict(FULL_ISO))
    addition, _ = qemu_agent.installer(decide("True", "auto"), [source])
    source.lose("guest-agent/qemu-ga-x86_64.msi")
    assert put(addition, fetcher=FakeFetcher(tmp_path, {url: WEB_MSI})) == {TARGET: WEB_MSI}
    assert "Trying the next place." in caplog.text


def test_web_never_reads_the_iso(tmp_path: Path) -> None:
    """``web`` downloads although an ISO is there."""
    fetcher = FakeFetcher(tmp_path, {INSTALL_URL: WEB_MSI})
    assert acquire(decide(INSTALL_URL, "web"), fetcher, FULL_ISO) == ({TARGET: WEB_MSI}, ())


def test_a_matching_checksum_is_accepted(tmp_path: Path) -> None:
    """The download is compared with the checksum and used, whatever ``source`` says."""
    fetcher = FakeFetcher(tmp_path, {URL: MSI})
    decision = decide("True", "iso", URL, SHA256.upper())
    assert acquire(decision, fetcher, FULL_ISO) == ({TARGET: MSI}, ())
    assert fetcher.checked == [URL]


def test_a_wrong_checksum_stops_and_leaves_nothing(tmp_path: Path) -> None:
    """Not even an older installer stays, and the ISO is not tried."""
    tree = MemoryTree({TARGET: b"older"})
    fetcher = FakeFetcher(tmp_path, {URL: WEB_MSI})
    decision = decide("True", "auto", URL, SHA256)
    addition, _ = qemu_agent.installer(decision, [MemorySource(dict(FULL_ISO))])
    with pytest.raises(ChecksumError):
        put(addition, tree, fetcher)
    assert (tree.content, fetcher.asked) == ({}, [URL])


def test_a_web_page_is_no_installer(tmp_path: Path) -> None:
    """What does not begin like an MSI is refused (fedorapeople.org answers bots with HTML)."""
    fetcher = FakeFetcher(tmp_path, {INSTALL_URL: b"<!DOCTYPE html>"})
    with pytest.raises(DownloadError):
        acquire(decide(INSTALL_URL), fetcher)


def test_iso_state() -> None:
    """Not given, missing and present are told apart."""
    assert qemu_agent.iso_state("", None) is IsoState.NOT_GIVEN
    assert qemu_agent.iso_state("virtio.iso", None) is IsoState.MISSING
    assert qemu_agent.iso_state("virtio.iso", Path("virtio.iso")) is IsoState.PRESENT


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("file:///srv/agents/qemu%20ga.msi", "/srv/agents/qemu ga.msi"),
        ("FILE:///C:/agents/qemu-ga.msi", "C:/agents/qemu-ga.msi"),
        ("agents/qemu-ga.MSI", "agents/qemu-ga.MSI"),
        (r"D:\agents\qemu-ga.msi", r"D:\agents\qemu-ga.msi"),
    ],
)
def test_a_file_of_this_machine(written: str, path: str) -> None:
    """The PowerShell tools take file: URLs and paths wherever they take an address."""
    assert decide(written).attempts == (FromFile(path),)
    assert decide("True", "iso", written, SHA256).attempts == (FromFile(path, SHA256),)


def test_the_file_is_used(tmp_path: Path) -> None:
    """Found as the configuration finds its paths; nothing is downloaded."""
    (tmp_path / "own.msi").write_bytes(MSI)
    addition, _ = qemu_agent.installer(decide("own.msi"), [], lambda text: tmp_path / text)
    fetcher = FakeFetcher(tmp_path)
    assert put(addition, fetcher=fetcher) == {TARGET: MSI}
    assert fetcher.asked == []


def test_a_file_that_is_no_installer_is_refused(tmp_path: Path) -> None:
    """Missing, of another kind, or with another checksum: before anything is made."""
    decision = decide("own.msi")
    with pytest.raises(RequestError, match=r"own\.msi cannot be read"):
        qemu_agent.installer(decision, [], lambda text: tmp_path / text)
    (tmp_path / "own.msi").write_bytes(b"<html>")
    with pytest.raises(RequestError, match="not an MSI package"):
        qemu_agent.installer(decision, [], lambda text: tmp_path / text)
    (tmp_path / "own.msi").write_bytes(WEB_MSI)
    pinned = decide("True", "web", "own.msi", SHA256)
    with pytest.raises(ChecksumError, match="does not have the SHA-256"):
        qemu_agent.installer(pinned, [], lambda text: tmp_path / text)


def test_every_virtio_medium_is_searched(tmp_path: Path) -> None:
    """An ISO without an installer does not hide the one beside it."""
    isos = [MemorySource({}, "first.iso"), MemorySource(FULL_ISO, "second")]
    addition, passed = qemu_agent.installer(decide("True", "iso"), isos)
    assert (put(addition), passed) == ({TARGET: MSI}, ())
