"""The MAAS hooks of this project, as curtin would run them."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from winimagetools.data import data_path

SECTION = [
    "metadata_services=cloudbaseinit.metadata.services.maasservice.MaaSHttpService",
    "maas_metadata_url=http://10.0.0.1:5240/MAAS/metadata/",
    "maas_oauth_consumer_key=consumer",
    "maas_oauth_consumer_secret=",
    "maas_oauth_token_key=token",
    "maas_oauth_token_secret=sec=ret",
]
MAAS = """\
cloud-init   cloud-init/datasources  multiselect MAAS
cloud-init   cloud-init/maas-metadata-url  string http://10.0.0.1:5240/MAAS/metadata/
cloud-init   cloud-init/maas-metadata-credentials  string \
oauth_consumer_key=consumer&oauth_token_key=token&oauth_token_secret=sec%3Dret
"""
CONF = "Program Files/Cloudbase Solutions/Cloudbase-Init/conf"


@pytest.fixture
def finalize() -> Callable[[dict[str, str]], int]:
    """``main`` of the hook, loaded as the file it is."""
    main: Callable[[dict[str, str]], int] = runpy.run_path(str(data_path("curtin") / "finalize"))[
        "main"
    ]
    return main


def target(tmp_path: Path, conf: str = CONF, *names: str) -> Path:
    """A mounted Windows volume with Cloudbase-Init."""
    folder = tmp_path / "target" / conf
    folder.mkdir(parents=True)
    for name in names or ("cloudbase-init.conf", "cloudbase-init-unattend.conf"):
        (folder / name).write_bytes(b"[DEFAULT]\r\nverbose=true")
    (tmp_path / "target" / "curtin").mkdir()
    return tmp_path / "target"


def environment(tmp_path: Path, config: dict[str, Any]) -> dict[str, str]:
    """What curtin passes."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    return {"TARGET_MOUNT_POINT": str(tmp_path / "target"), "CONFIG": str(path)}


def test_both_configurations_get_the_metadata(
    tmp_path: Path, finalize: Callable[[dict[str, str]], int]
) -> None:
    """Lines with CRLF after what is there, also when its last line is not ended."""
    root = target(tmp_path)
    assert finalize(environment(tmp_path, {"debconf_selections": {"maas": MAAS}})) == 0
    for name in ("cloudbase-init.conf", "cloudbase-init-unattend.conf"):
        content = (root / CONF / name).read_bytes().decode()
        assert content == "\r\n".join(["[DEFAULT]", "verbose=true", *SECTION, ""])
    assert not (root / "curtin" / "network.json").exists()
    assert not (root / CONF).with_name("LocalScripts").exists()


def test_network_and_licence_are_passed_on(
    tmp_path: Path, finalize: Callable[[dict[str, str]], int]
) -> None:
    """The network configuration unchanged; the key in a script for the first boot."""
    conf = CONF.replace("Files", "Files (x86)")
    root = target(tmp_path, conf, "cloudbase-init.conf")
    network = {"version": 1, "config": [{"type": "physical", "name": "eth0"}]}
    config = {
        "debconf_selections": {"maas": MAAS},
        "network": network,
        "license_key": "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE",
    }
    assert finalize(environment(tmp_path, config)) == 0
    assert json.loads((root / "curtin" / "network.json").read_text()) == network
    script = (root / conf).with_name("LocalScripts") / "ChangeLicenseKey.ps1"
    assert script.read_text().strip().endswith(r"\slmgr.vbs /ipk AAAAA-BBBBB-CCCCC-DDDDD-EEEEE")
    assert not (root / conf / "cloudbase-init-unattend.conf").exists()


@pytest.mark.parametrize(
    ("maas", "message"),
    [
        ("", "no metadata URL"),
        (MAAS.replace("&oauth_token_key=token", ""), "credentials: oauth_token_key"),
    ],
)
def test_without_credentials_the_deployment_fails(
    tmp_path: Path,
    finalize: Callable[[dict[str, str]], int],
    capsys: pytest.CaptureFixture[str],
    maas: str,
    message: str,
) -> None:
    """MAAS learns of it, and the configuration is not touched."""
    root = target(tmp_path)
    assert finalize(environment(tmp_path, {"debconf_selections": {"maas": maas}})) == 1
    assert message in capsys.readouterr().err
    assert (root / CONF / "cloudbase-init.conf").read_bytes() == b"[DEFAULT]\r\nverbose=true"


def test_without_cloudbase_init_the_deployment_fails(
    tmp_path: Path,
    finalize: Callable[[dict[str, str]], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The places searched are named."""
    (tmp_path / "target").mkdir()
    assert finalize(environment(tmp_path, {"debconf_selections": {"maas": MAAS}})) == 1
    assert "not installed" in (error := capsys.readouterr().err)
    assert "Program Files (x86)" in error


def test_outside_curtin_it_says_so(finalize: Callable[[dict[str, str]], int]) -> None:
    """Run by hand it explains itself instead of failing with a trace."""
    assert finalize({}) == 2


def test_curtin_hooks_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    """Its presence keeps curtin from treating Windows as Linux."""
    runpy.run_path(str(data_path("curtin") / "curtin-hooks"))
    assert "no Linux boot loader" in capsys.readouterr().out
