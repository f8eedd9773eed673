"""A matrix whose images go to a real registry and a real Glance."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.linux.clouds import ask
from tests.integration.linux.test_matrix import cell, count, folder, make, write
from tests.integration.linux.test_publish_glance import cloud, images, service
from tests.integration.linux.test_publish_registry import data, layer, open_registry, skopeo
from winimagetools.files.hash import sha256_of
from winimagetools.matrix.stages import IMAGE, OFFLINE, PUBLISHED

__all__ = ["cloud", "data", "folder", "open_registry", "service"]
AXES = """
[axes]
editions = ["*STANDARD"]
firmware = ["UEFI"]
[options]
drivers.drivers_path = "drivers"
[target.kubevirt]
container = "QCOW2"
publish = "containerdisk"
with = {{ image = "{registry}", plain_http = "yes" }}
run = true
[target.openstack]
container = "QCOW2"
publish = "glance"
with = {{ name = "{{name}}" }}
run = true
"""
NAME = "windows-server-2022-serverstandard-uefi"


def test_published_once(
    folder: Path, open_registry: int, cloud: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each target gets the bytes of its image, and gets them again only when there are others."""
    place = f"127.0.0.1:{open_registry}/matrix/windows:2022"
    path = write(folder, AXES.format(registry=place))
    first = make(path)
    assert [item.message for item in first.cells] == ["", ""]
    assert count(first, "made") == {OFFLINE: 1, IMAGE: 2, PUBLISHED: 2}
    disk, other = (
        Path(cell(first, f"{NAME}-{target}").image) for target in ("kubevirt", "openstack")
    )
    member, content = layer(tmp_path_factory.mktemp("copy") / "first", place)
    assert (member.name, content) == (f"disk/{disk.name}", disk.read_bytes())
    (record,) = images(cloud)
    assert (record["name"], record["status"]) == (f"{NAME}-openstack", "active")
    assert ask(cloud, "GET", f"/v2/images/{record['id']}/file")[1] == other.read_bytes()
    told = {item.name: Path(item.published).read_text().strip() for item in first.cells}
    digest = _digest(place)
    assert told == {
        f"{NAME}-kubevirt": f"{place.removesuffix(':2022')}@{digest}",
        f"{NAME}-openstack": str(record["id"]),
    }

    second = make(path)
    assert second.stages == ()
    assert [item.status for item in second.cells] == ["reused", "reused"]
    assert (images(cloud), _digest(place)) == ([record], digest)

    before = sha256_of(disk)
    (driver,) = (folder / "drivers").rglob("*.sys")
    driver.write_bytes(driver.read_bytes() + b"\0")
    assert count(make(path), "made") == {OFFLINE: 1, IMAGE: 2, PUBLISHED: 2}
    assert sha256_of(disk) != before
    assert _digest(place) != digest
    assert len(images(cloud)) == 2


def _digest(place: str) -> str:
    found = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{place}"))
    return str(found["Digest"])
