"""What of a download needs no network: requests that are refused, names, the cache."""

from __future__ import annotations

import os
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winimagetools.errors import DownloadError, RequestError
from winimagetools.net.cache import Entry, Validators, default_cache, file_name, sha256_of
from winimagetools.net.download import Downloader, extract_member, show_url

URL = "https://example.org/files/agent.msi"
SHA = "0" * 64
NEW = Validators('"1"', "")


@pytest.mark.parametrize(
    "url", ["ftp://example.org/x", "file:///etc/passwd", "x.msi", "", "http://", "http://[::1"]
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
    entry = Entry(tmp_path, URL, checksum)
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
    entries = [Entry(tmp_path, URL, ""), Entry(tmp_path, URL, SHA), Entry(tmp_path, URL + "x", "")]
    assert len({entry.folder for entry in entries}) == 3
    assert Entry(tmp_path, URL, SHA).file == entries[1].file


def test_nothing_received_leaves_nothing(tmp_path: Path) -> None:
    """A server that cannot be reached leaves no empty folders; what is complete stays."""
    entry = Entry(tmp_path, URL, "")
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
    entry = Entry(tmp_path, URL, "")
    with pytest.raises(KeyboardInterrupt), entry.partial() as partial:
        assert partial.resumable == 0
        partial.begin(NEW)
        partial.data.write_bytes(b"12345")
        raise KeyboardInterrupt
    with Entry(tmp_path, URL, "").partial() as partial:
        assert (partial.resumable, partial.validators) == (5, NEW)
        partial.discard()
    with entry.partial() as partial:
        assert partial.resumable == 0


def test_partial_of_an_unknown_version_is_not_kept(tmp_path: Path) -> None:
    """Without ETag or date nobody knows whether the rest would belong to it."""
    entry = Entry(tmp_path, URL, "")
    with entry.partial() as partial:
        partial.begin(Validators())
        partial.data.write_bytes(b"12345")
    assert not entry.folder.exists()


def test_two_downloads_at_once(tmp_path: Path) -> None:
    """Two processes never write to the same partial file; the first to end keeps its own."""
    entry = Entry(tmp_path, URL, "")
    with entry.partial() as first, Entry(tmp_path, URL, "").partial() as second:
        assert first.data != second.data
        for partial, data in ((first, b"11"), (second, b"222")):
            partial.begin(NEW)
            partial.data.write_bytes(data)
    with entry.partial() as partial:
        assert partial.data.read_bytes() == b"222"
    assert [path.name for path in entry.folder.iterdir()] == ["partial"]


def test_commit(tmp_path: Path) -> None:
    """A complete download gets its name together with the version it is."""
    entry = Entry(tmp_path, URL, "")
    with entry.partial() as partial:
        partial.begin(NEW)
        partial.data.write_bytes(b"whole")
        assert entry.commit(partial) == entry.file
    assert entry.file.read_bytes() == b"whole"
    assert entry.validators == NEW
    assert sorted(path.name for path in entry.folder.iterdir()) == ["agent.msi", "meta.json"]


def test_abandoned_partials_are_removed(tmp_path: Path) -> None:
    """What a killed process left a day ago is removed, what is fresh is not."""
    entry = Entry(tmp_path, URL, "")
    for name, age in (("partial-old", 90_000), ("partial-new", 60)):
        folder = entry.folder / name
        folder.mkdir(parents=True)
        (folder / "data").write_bytes(b"1")
        for path in (folder / "data", folder):
            os.utime(path, (time.time() - age,) * 2)
    with entry.partial():
        assert (entry.folder / "partial-new").is_dir()
        assert not (entry.folder / "partial-old").exists()


def test_validators_for_ranges() -> None:
    """A weak ETag does not vouch for bytes (RFC 9110, 13.1.5)."""
    assert Validators('"a"', "Mon").for_range == '"a"'
    assert Validators('W/"a"', "Mon").for_range == "Mon"
    assert Validators('W/"a"', "").for_range == ""
    assert Validators("", "").for_range == ""


def test_damaged_meta(tmp_path: Path) -> None:
    """A damaged meta file means that the version is not known."""
    entry = Entry(tmp_path, URL, "")
    entry.folder.mkdir()
    for text in ("", "[]", "{", '{"etag": 1}'):
        (entry.folder / "meta.json").write_text(text)
        assert entry.validators == Validators()
