"""The layer of a containerDisk, and where it goes."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from pathlib import Path

import pytest

from tests.unit.output.publish.test_targets import SERVER, image, run
from winimagetools.errors import RequestError
from winimagetools.model import DiskFormat
from winimagetools.net.registry_http import Reference
from winimagetools.net.sending import Body
from winimagetools.output.publish import choose
from winimagetools.output.publish.containerdisk import layer_of


@pytest.mark.parametrize("size", [0, 1, 511, 512, 10_239, (1 << 20) + 3])
def test_the_layer_is_an_archive(tmp_path: Path, size: int) -> None:
    """Of one file with its owner and mode, whatever its size; its length is known before."""
    path = tmp_path / "ä server.qcow2"
    path.write_bytes(b"x" * size)
    layer = layer_of(dataclasses.replace(SERVER, path=path))
    data = b"".join(layer.pieces())
    assert len(data) == layer.length
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        folder, file = archive.getmembers()
        assert (folder.name, folder.isdir()) == ("disk", True)
        assert (file.name, file.uid, file.gid, file.mode) == (
            "disk/ä server.qcow2",
            107,
            107,
            0o440,
        )
        content = archive.extractfile(file)
        assert content is not None
        assert content.read() == b"x" * size


def test_a_disk_that_ustar_has_no_number_for(tmp_path: Path) -> None:
    """More than 8 GiB."""
    path = tmp_path / "large.raw"
    with path.open("wb") as file:
        file.truncate(9 << 30)
    layer = layer_of(dataclasses.replace(SERVER, path=path))
    with tarfile.open(fileobj=io.BytesIO(layer.head + bytes(512))) as archive:
        archive.next()
        file_in_it = archive.next()
        assert file_in_it is not None
        assert file_in_it.size == 9 << 30


def test_a_body_can_be_sent_again(tmp_path: Path) -> None:
    """From its beginning, which whoever counts is told."""
    path = tmp_path / "disk"
    path.write_bytes(b"abc")
    seen: list[tuple[bytes, int]] = []
    body = Body(layer_of(dataclasses.replace(SERVER, path=path)), lambda *what: seen.append(what))
    first, second = b"".join(body), b"".join(body)
    assert first == second
    assert len(body) == len(first)
    assert [done for _, done in seen].count(0) == 2


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag"),
    [
        ("registry.example/windows:2022", "registry.example", "windows", "2022"),
        ("localhost/a/b-c__d.e", "localhost", "a/b-c__d.e", "latest"),
        ("10.0.0.1:5000/x:V1_.-", "10.0.0.1:5000", "x", "V1_.-"),
    ],
)
def test_a_place(text: str, host: str, repository: str, tag: str) -> None:
    """Registry with its port, repository, tag."""
    assert Reference.parse(text) == Reference(host, repository, tag)


@pytest.mark.parametrize(
    "text",
    [
        "windows",
        "windows/server:1",
        "r.example/",
        "r.example/Windows",
        "r.example/a:b c",
        "r.e/a@x",
    ],
)
def test_no_place(text: str) -> None:
    """It is refused before anything is read, with an example."""
    with pytest.raises(RequestError, match="is no place in a registry"):
        Reference.parse(text)


def test_without_tls() -> None:
    """The printed command says so too; a word that is neither yes nor no is refused."""
    assert "--tls-verify=false" in run("containerdisk", SERVER, "plain_http=yes")[1]
    assert "--tls-verify=false" not in run("containerdisk", SERVER, "plain_http=no")[1]
    with pytest.raises(RequestError, match="neither yes nor no"):
        run("containerdisk", SERVER, "plain_http=maybe")


def test_who_can_only_print() -> None:
    """--run is refused with the names of those that can, and a wrong image before it is sent."""
    with pytest.raises(RequestError, match="only to glance and containerdisk"):
        choose.run(choose.TARGETS["maas"], SERVER, [])
    with pytest.raises(RequestError, match="a containerDisk takes QCOW2 or RAW"):
        choose.run(choose.TARGETS["containerdisk"], image(DiskFormat.VMDK), ["image=r.example/a"])
