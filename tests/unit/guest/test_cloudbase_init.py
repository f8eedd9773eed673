"""Cloudbase-Init: where the installer comes from, and what is put into the image."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from oslo_config.cfg import ConfigParser, ParseError

from tests.unit.fakes import FakeFetcher, put
from winimagetools.errors import DownloadError, RequestError
from winimagetools.guest.cloudbase_init import (
    check_config,
    cloudbase_init_files,
    cloudbase_init_source,
)
from winimagetools.guest.installers import check_msi
from winimagetools.model import Architecture

MSI = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 installer"
SITE = "https://www.cloudbase.it/downloads/"
TARGET = "UnattendResources/CloudbaseInit.msi"


@pytest.mark.parametrize(
    ("architecture", "beta", "name"),
    [
        (Architecture.AMD64, False, "CloudbaseInitSetup_Stable_x64.msi"),
        (Architecture.AMD64, True, "CloudbaseInitSetup_x64.msi"),
        (Architecture.X86, False, "CloudbaseInitSetup_Stable_x86.msi"),
        (Architecture.X86, True, "CloudbaseInitSetup_x86.msi"),
    ],
)
def test_the_download_by_architecture_and_release(
    architecture: Architecture, beta: bool, name: str
) -> None:
    """The four installers Cloudbase publishes."""
    assert cloudbase_init_source(architecture, beta=beta) == SITE + name


@pytest.mark.parametrize("architecture", [Architecture.ARM64, Architecture.ARM, Architecture.IA64])
def test_other_architectures_need_an_installer_of_the_user(architecture: Architecture) -> None:
    """Nothing is published for them, and the error says what to set."""
    with pytest.raises(RequestError, match=rf"{architecture} Windows\. Set msi_path"):
        cloudbase_init_source(architecture)
    own = Path("own.msi")
    assert cloudbase_init_source(architecture, beta=True, msi_path=own) == own


def test_the_installer_is_downloaded(tmp_path: Path) -> None:
    """Only the installer goes into the image when nothing else is set."""
    url = SITE + "CloudbaseInitSetup_Stable_x64.msi"
    fetcher = FakeFetcher(tmp_path, {url: MSI})
    files = cloudbase_init_files(Architecture.AMD64)
    assert put(files, fetcher=fetcher) == {TARGET: MSI}


def test_a_web_page_is_no_installer(tmp_path: Path) -> None:
    """An error page is not taken for an MSI."""
    url = SITE + "CloudbaseInitSetup_x86.msi"
    fetcher = FakeFetcher(tmp_path, {url: b"<html>"})
    with pytest.raises(DownloadError):
        put(cloudbase_init_files(Architecture.X86, beta=True), fetcher=fetcher)


def test_everything_of_the_user_is_used(tmp_path: Path) -> None:
    """Own installer and both configuration files; the network is left alone."""
    msi, config, unattended = (tmp_path / name for name in ("a.msi", "my.conf", "other.conf"))
    msi.write_bytes(MSI)
    config.write_bytes(b"[DEFAULT]\r\n")
    unattended.write_bytes(b"[DEFAULT]\nusername=Admin\n")
    fetcher = FakeFetcher(tmp_path)
    files = cloudbase_init_files(
        Architecture.ARM64,
        msi_path=msi,
        config_path=config,
        unattended_config_path=unattended,
    )
    assert put(files, fetcher=fetcher) == {
        TARGET: MSI,
        "UnattendResources/cloudbase-init.conf": b"[DEFAULT]\r\n",
        "UnattendResources/cloudbase-init-unattend.conf": b"[DEFAULT]\nusername=Admin\n",
    }
    assert fetcher.asked == []


def test_a_missing_or_wrong_installer_is_refused(tmp_path: Path) -> None:
    """Before anything else is taken for it."""
    with pytest.raises(RequestError, match=r"none\.msi cannot be read"):
        check_msi(tmp_path / "none.msi", "msi_path")
    page = tmp_path / "page.msi"
    page.write_bytes(b"<html>")
    with pytest.raises(RequestError, match="not an MSI package"):
        check_msi(page, "msi_path")


CONFIGS = (
    b"",
    b"[DEFAULT]\r\nusername=Admin\r\n",
    b"[DEFAULT]\n# comment\n; comment\nplugins=a,\n    b,\n\tc\n\nname: value\n",
    b"key=before any section\n",
    "[DEFAULT]\nusername=Jos\u00e9\n".encode(),
    b"\xef\xbb\xbf[DEFAULT]\nusername=Admin\n",
    "[DEFAULT]\nusername=Admin\n".encode("utf-16"),
    b"[DEFAULT\nusername=Admin\n",
    b"[]\nusername=Admin\n",
    b"[DEFAULT]\nusername\n",
    b"[DEFAULT]\n=Admin\n",
    b"[DEFAULT]\n  username=Admin\n",
    b"[DEFAULT]\nusername=Admin\n\n  after a blank line\n",
)


@pytest.mark.parametrize("data", CONFIGS)
def test_what_cloudbase_init_reads(tmp_path: Path, data: bytes) -> None:
    """The judge is the parser of oslo.config, which Cloudbase-Init uses, in a Western code page."""
    path = tmp_path / "cloudbase-init.conf"
    path.write_bytes(data)
    parser = ConfigParser(str(path), {})
    with mock_code_page("cp1252"):
        try:
            parser.parse()
            readable = True
        except (ParseError, ValueError):
            readable = False
    if readable:
        check_config(path, "cloudbase_init_config_path")
        return
    with pytest.raises(
        RequestError, match=r"Cloudbase-Init cannot read .*cloudbase-init\.conf"
    ) as caught:
        check_config(path, "cloudbase_init_config_path")
    assert caught.value.option == "cloudbase_init_config_path"


@contextmanager
def mock_code_page(name: str) -> Iterator[None]:
    """Let files be opened as on a Windows with this code page."""
    real = builtins.open

    def opened(path: Any, mode: str = "r", **options: Any) -> Any:
        return real(path, mode, **{"encoding": name, **options})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtins, "open", opened)
        yield
