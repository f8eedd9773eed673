"""What of a download needs no network: requests that are refused, names, the cache."""

from __future__ import annotations

import os
import queue
import threading
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compound import compound_file
from winimagetools import log
from winimagetools.errors import DownloadError, RequestError
from winimagetools.files.hash import sha256_of
from winimagetools.net.answer import LARGEST, Answer, accept, body_length, redirect_target
from winimagetools.net.cache import CachedFile, Partial, Validators, default_cache, file_name
from winimagetools.net.content import COMPOUND_MAGIC, LARGEST_MEMBER, extract_member, is_whole
from winimagetools.net.download import Downloader
from winimagetools.net.pace import within
from winimagetools.net.request import TransientError, check_request, show_url

URL = "https://example.org/files/agent.msi"
SHA = "0" * 64
NEW = Validators('"1"', "", 9)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/x",
        "file:///etc/passwd",
        "x.msi",
        "",
        "http://",
        "http://[::1",
        "http://h:99999/",
        "http://h\udcff/",
        "http://h/\n",
    ],
)
def test_only_http(tmp_path: Path, url: str) -> None:
    """Anything but http and https is a mistake in the request."""
    with pytest.raises(RequestError, match="cannot be downloaded"):
        Downloader(tmp_path).fetch(url)


@pytest.mark.parametrize("checksum", ["abc", "g" * 64, "0" * 40])
def test_checksum_that_is_none(tmp_path: Path, checksum: str) -> None:
    """A checksum that is no SHA-256 is refused before anything is downloaded."""
    with pytest.raises(RequestError, match="is no SHA-256"):
        Downloader(tmp_path).fetch(URL, sha256=checksum)


def test_cached_file_with_the_checksum_needs_no_network(tmp_path: Path) -> None:
    """A cached file whose content has the checksum is used as it is."""
    (tmp_path / "x").write_bytes(b"content")
    checksum = sha256_of(tmp_path / "x")
    entry = CachedFile(tmp_path, URL, checksum)
    entry.folder.mkdir()
    entry.file.write_bytes(b"content")
    assert Downloader(tmp_path).fetch(URL, sha256=f" {checksum.upper()} ") == entry.file


def test_one_file_of_an_archive(tmp_path: Path) -> None:
    """A file is found in any folder and letter case; one that is not there is named."""
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("bin/other.exe", b"other")
        content.writestr("bin/Tool.EXE", b"tool")
    assert extract_member(archive, URL, "tool.exe") == b"tool"
    with pytest.raises(DownloadError, match=rf"from {URL} holds no missing\.exe"):
        extract_member(archive, URL, "missing.exe")


def test_messages_show_no_secrets() -> None:
    """User, password, query and fragment of a URL are left out of messages."""
    assert (
        show_url("https://me:secret@host:8443/a/b.msi?sig=secret#x") == "https://host:8443/a/b.msi"
    )


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (URL, "agent.msi"),
        ("http://h/a/b%20c.exe?x=/y", "b_c.exe"),
        ("http://h", "download"),
        ("http://h/..", "download"),
        ("http://h/%2e%2e%2fpasswd", "passwd"),
        ("http://h/meta.json", "download-meta.json"),
        ("http://h/Partial-1", "download-Partial-1"),
    ],
)
def test_file_names(url: str, name: str) -> None:
    """Files keep the name of the URL as far as it is harmless."""
    assert file_name(url) == name


@given(st.text())
def test_file_name_is_always_one(path: str) -> None:
    """Whatever the URL, the name is one plain file name."""
    name = file_name("http://h/" + path.replace("[", "").replace("]", ""))
    assert name
    assert name == os.path.basename(name)  # noqa: PTH119 (a text, not a path)
    assert not name.startswith(".")
    assert name.isascii()


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """XDG_CACHE_HOME comes first, then LOCALAPPDATA, then the home folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert default_cache() == tmp_path / "xdg" / "winimagetools"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_cache() == tmp_path / "local" / "winimagetools"
    monkeypatch.delenv("LOCALAPPDATA")
    assert default_cache() == Path.home() / ".cache" / "winimagetools"


def test_an_account_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where to download to has to be said then."""

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(DownloadError, match=r"no home folder\. Set XDG_CACHE_HOME"):
        default_cache()


def test_entries_differ_by_url_and_checksum(tmp_path: Path) -> None:
    """Neither another URL nor another checksum shares a place."""
    entries = [
        CachedFile(tmp_path, URL, ""),
        CachedFile(tmp_path, URL, SHA),
        CachedFile(tmp_path, URL + "x", ""),
    ]
    assert len({entry.folder for entry in entries}) == 3
    assert CachedFile(tmp_path, URL, SHA).file == entries[1].file


def test_nothing_received_leaves_nothing(tmp_path: Path) -> None:
    """A server that cannot be reached leaves no empty folders; what is complete stays."""
    entry = CachedFile(tmp_path, URL, "")
    with pytest.raises(DownloadError), entry.partial():
        raise DownloadError("The name of the server could not be found.")
    assert list(tmp_path.iterdir()) == []
    with entry.partial() as partial:
        partial.begin(NEW)
        entry.commit(partial)
    with pytest.raises(DownloadError), entry.partial():
        raise DownloadError("The name of the server could not be found.")
    assert entry.file.is_file()


def test_partial_is_kept(tmp_path: Path) -> None:
    """A download that is interrupted can be gone on from."""
    entry = CachedFile(tmp_path, URL, "")
    with pytest.raises(KeyboardInterrupt), entry.partial() as partial:
        assert partial.resumable == 0
        partial.begin(NEW)
        partial.data.write_bytes(b"12345")
        raise KeyboardInterrupt
    with CachedFile(tmp_path, URL, "").partial() as partial:
        assert (partial.resumable, partial.validators) == (5, NEW)
        partial.discard()
    with entry.partial() as partial:
        assert partial.resumable == 0


def test_partial_of_an_unknown_version_is_not_kept(tmp_path: Path) -> None:
    """Without ETag or date nobody knows whether the rest would belong to it."""
    entry = CachedFile(tmp_path, URL, "")
    with entry.partial() as partial:
        partial.begin(Validators())
        partial.data.write_bytes(b"12345")
    assert not entry.folder.exists()


def test_two_downloads_at_once(tmp_path: Path) -> None:
    """Two processes never write to the same partial file; the first to end keeps its own."""
    entry = CachedFile(tmp_path, URL, "")
    with entry.partial() as first, CachedFile(tmp_path, URL, "").partial() as second:
        assert first.data != second.data
        for partial, data in ((first, b"11"), (second, b"222")):
            partial.begin(NEW)
            partial.data.write_bytes(data)
    with entry.partial() as partial:
        assert partial.data.read_bytes() == b"222"
    assert [path.name for path in entry.folder.iterdir()] == ["partial"]


def test_commit(tmp_path: Path) -> None:
    """A complete download gets its name together with the version it is."""
    entry = CachedFile(tmp_path, URL, "")
    with entry.partial() as partial:
        partial.begin(NEW)
        partial.data.write_bytes(b"whole")
        assert entry.commit(partial) == entry.file
    assert entry.file.read_bytes() == b"whole"
    assert entry.validators == Validators('"1"', "", 5)
    assert sorted(path.name for path in entry.folder.iterdir()) == ["agent.msi", "meta.json"]


def test_abandoned_partials_are_removed(tmp_path: Path) -> None:
    """What a killed process left a day ago is removed, what is fresh is not."""
    entry = CachedFile(tmp_path, URL, "")
    for name, age in (("partial-old", 90_000), ("partial-new", 60)):
        folder = entry.folder / name
        folder.mkdir(parents=True)
        (folder / "data").write_bytes(b"1")
        for path in (folder / "data", folder):
            os.utime(path, (time.time() - age,) * 2)
    with entry.partial():
        assert (entry.folder / "partial-new").is_dir()
        assert not (entry.folder / "partial-old").exists()


def test_strong_validators() -> None:
    """Only a strong ETag vouches for bytes (RFC 9110, 8.8.1); a date has seconds only."""
    assert Validators('"a"', "Mon").strong == '"a"'
    assert Validators('W/"a"', "Mon").strong == ""
    assert Validators("a", "").strong == ""
    assert Validators("", "Mon").strong == ""


@pytest.mark.parametrize("length", [0, 4, 5])
def test_partial_of_unknown_length_is_not_kept(tmp_path: Path, length: int) -> None:
    """What may already be the whole file, or more, is not gone on from."""
    entry = CachedFile(tmp_path, URL, "")
    with entry.partial() as partial:
        partial.begin(Validators('"1"', "", length))
        partial.data.write_bytes(b"12345")
        assert partial.resumable == 0
    assert not entry.folder.exists()


def test_a_complete_file_that_was_cut(tmp_path: Path) -> None:
    """A file of the cache that has another length than it came with has no version."""
    entry = CachedFile(tmp_path, URL, "")
    with entry.partial() as partial:
        partial.begin(NEW)
        partial.data.write_bytes(b"whole")
        entry.commit(partial)
    entry.file.write_bytes(b"who")
    assert entry.validators == Validators()


def test_damaged_meta(tmp_path: Path) -> None:
    """A damaged meta file means that the version is not known."""
    entry = CachedFile(tmp_path, URL, "")
    entry.folder.mkdir()
    for text in (
        "",
        "[]",
        "{",
        '{"etag": 1}',
        "[" * 9000,
        '{"etag": "", "last_modified": 1, "length": 1e999}',
    ):
        (entry.folder / "meta.json").write_text(text)
        assert entry.validators == Validators()


@pytest.mark.parametrize("sectors", [1, 10, 500])
def test_whole_installer_packages(tmp_path: Path, sectors: int) -> None:
    """A package is whole when every sector of its table is there, and only then."""
    path = tmp_path / "x.msi"
    data = compound_file(sectors)
    path.write_bytes(data)
    assert is_whole(path) is True
    for length in (len(data) - 512, len(data) // 2, 512, 100):
        path.write_bytes(data[:length])
        assert is_whole(path) is False


def test_whole_archives(tmp_path: Path) -> None:
    """An archive is whole when it ends in its directory; other files do not tell."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as content:
        content.writestr("a", bytes(3000))
    assert is_whole(path) is True
    path.write_bytes(path.read_bytes()[:-30])
    assert is_whole(path) is False
    path.write_bytes(b"MZ")
    assert is_whole(path) is None


@given(st.binary(max_size=600), st.sampled_from([COMPOUND_MAGIC, b"PK\3\4", b""]))
def test_any_bytes_are_whole_or_not(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, magic: bytes
) -> None:
    """Whatever a file holds, there is an answer, and extracting ends in an error of ours."""
    path = tmp_path_factory.mktemp("any") / "x"
    for content in (magic + data, compound_file(3)[:76] + data):
        path.write_bytes(content)
        assert is_whole(path) in (True, False, None)
        with pytest.raises(DownloadError):
            extract_member(path, URL, "tool.exe")


def test_a_member_that_is_too_large(tmp_path: Path) -> None:
    """An archive of some kilobytes that would fill the memory is refused."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr("tool.exe", bytes(LARGEST_MEMBER + 1))
    with pytest.raises(DownloadError, match=r"claims that 'tool\.exe' has 67108865 bytes"):
        extract_member(path, URL, "tool.exe")


def test_an_answer_in_time() -> None:
    """A result and an error come through; what comes too late is let go of."""
    assert within(5, lambda: 7, lambda _: None) == 7
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0, lambda _: None)
    go = threading.Event()
    forgotten: queue.Queue[int] = queue.Queue()

    def late() -> int:
        go.wait(5)
        return 7

    with pytest.raises(TimeoutError):
        within(0.01, late, forgotten.put)
    go.set()
    assert forgotten.get(timeout=5) == 7


WANTED = check_request(URL, "", ())
PINNED = check_request(URL, SHA, ())


@pytest.mark.parametrize(
    ("start", "location", "end"),
    [
        (URL, "https://cdn.example/x", "https://cdn.example/x"),
        (URL, "../other.msi", "https://example.org/other.msi"),
        (URL, "//cdn.example/x", "https://cdn.example/x"),
        ("http://example.org/a", "http://b.example/x", "http://b.example/x"),
        (URL, "https://h/gr\xc3\xb6\xc3\x9fe", "https://h/größe"),
    ],
)
def test_redirects(start: str, location: str, end: str) -> None:
    """Where a redirect leads, be it written in full or not."""
    assert redirect_target(Answer(302, "", {"Location": location}), start, WANTED) == end


@pytest.mark.parametrize("scheme", ["https", "ftp"])
def test_what_a_redirect_tells_is_a_secret(scheme: str) -> None:
    """Storage signs where it leads to; what others say of it must not show that either."""
    location = f"{scheme}://user:pass-of-{scheme}@store.invalid/a?X-Amz-Signature=5ig-of-{scheme}"
    with suppress(DownloadError):
        redirect_target(Answer(302, "", {"Location": location}), URL, WANTED)
    said = log.mask(f"refused: pass-of-{scheme}, 5ig-of-{scheme}")
    assert said == "refused: ***, ***"


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("http://example.org/x", "from https to http, where everybody"),
        ("HTTP://example.org/x", "from https to http, where everybody"),
        ("ftp://example.org/x", "to something that is not http"),
        ("file:///etc/passwd", "to something that is not http"),
        ("http:///x", "to something that is not http"),
        ("https://[::1", "to an address that is none"),
    ],
)
def test_redirects_that_are_refused(location: str, message: str) -> None:
    """To nowhere, away from http, and from https to http."""
    with pytest.raises(DownloadError, match=message):
        redirect_target(Answer(302, "", {"Location": location}), URL, WANTED)


def test_a_checksum_allows_http() -> None:
    """With a checksum it does not matter who could have replaced the file on the way."""
    answer = Answer(302, "", {"Location": "http://example.org/x"})
    assert redirect_target(answer, URL, PINNED) == "http://example.org/x"


@pytest.mark.parametrize("length", ["-5", "1e3", "0x10", "5, 5", "abc", "9" * 5000, "\xb2"])
def test_lengths_that_are_none(length: str) -> None:
    """A Content-Length that is no number is told, not guessed at."""
    with pytest.raises(DownloadError, match="says a length that is no number"):
        body_length(Answer(200, "", {"Content-Length": length}), WANTED)


def test_a_length_beyond_reason(tmp_path: Path) -> None:
    """A server that promises more than any of these files has does not fill the disk."""
    answer = Answer(200, "OK", {"Content-Length": str(LARGEST + 1)})
    with pytest.raises(DownloadError, match=r"has more than 4\.0 GiB"):
        accept(answer, Partial(tmp_path), 0, WANTED)


REST = {"Content-Range": "bytes 5-8/9", "ETag": '"1"', "Content-Length": "4"}


def test_the_rest_of_the_same_file(tmp_path: Path) -> None:
    """A partial answer with the same strong ETag and total length is appended."""
    partial = Partial(tmp_path)
    partial.begin(NEW)
    partial.data.write_bytes(b"12345")
    assert accept(Answer(206, "", REST), partial, 5, WANTED) == 5
    assert partial.data.read_bytes() == b"12345"


@pytest.mark.parametrize(
    "other",
    [
        {"ETag": '"2"'},
        {"ETag": ""},
        {"ETag": 'W/"1"'},
        {"Content-Range": "bytes 5-8/10"},
        {"Content-Range": "bytes 5-9/10"},
        {"Content-Range": "bytes 5-7/9"},
        {"Content-Range": "bytes 5-8/*"},
        {"Content-Range": "bytes 4-8/9"},
        {"Content-Range": ""},
        {"Content-Length": "5"},
    ],
)
def test_the_rest_of_who_knows_what(tmp_path: Path, other: dict[str, str]) -> None:
    """Anything else is no proof that both parts are of one file: from the start."""
    partial = Partial(tmp_path)
    partial.begin(NEW)
    partial.data.write_bytes(b"12345")
    with pytest.raises(TransientError, match="could not be resumed"):
        accept(Answer(206, "", REST | other), partial, 5, WANTED)
    assert partial.resumable == 0
