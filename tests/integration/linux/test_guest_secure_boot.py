"""An image for Windows that wants Secure Boot and a TPM, finished in a machine that has both."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures import media
from fixtures.guest import linux
from tests import needs
from tests.integration.linux.online import left, online_job
from tests.integration.linux.signing import call, make_key
from winimagetools.model import DiskLayout
from winimagetools.workflows.build import new_windows_online_image

EDITION = "Windows Server 2025 SERVERSTANDARD"


def test_secure_boot_and_tpm(
    install_media: Callable[[media.MediaSpec], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The guest, signed with a key of ours, sees what firmware and machine have for it."""
    needs.guest()
    needs.program("sbsign", "sbsigntool")
    needs.program("swtpm", "swtpm")
    (tmp_path / "key").mkdir()
    key = make_key(tmp_path / "key", "/O=winimagetools/CN=Test")
    manager = tmp_path / "key" / "bootmgfw.efi"
    manager.write_bytes(linux.boot_manager())
    key.sign(manager)
    medium = tmp_path / "key" / "install.wim"
    shutil.copyfile(install_media(media.MediaSpec("2025", editions=("ServerStandard",))), medium)
    edit = f"--command=add '{manager}' /Windows/Boot/EFI/bootmgfw.efi"
    call("wimlib-imagex", "update", medium, "1", edit)
    request.getfixturevalue("nothing_left")
    firmware = key.firmware()
    monkeypatch.setattr("winimagetools.host.linux.vm.read_firmware", lambda: [firmware])
    options: dict[str, object] = {
        "DEFAULT__image_name": EDITION,
        "vm__disable_secure_boot": "False",
    }
    job = online_job(tmp_path, medium, DiskLayout.UEFI, **options)
    caplog.set_level("INFO")
    report = new_windows_online_image(job.write())
    assert report.path == job.image
    assert left(job) == ["key"]
    assert "plays Windows (UEFI, Secure Boot, TPM 2)." in caplog.text
