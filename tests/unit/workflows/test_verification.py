"""``--verify`` where it works and where it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.dry_build import config_text, lay_out
from tests.unit.recording_host import recording_host
from tests.unit.workflows.test_prepare import CLOUD, OneRelease
from winimagetools.cli import main
from winimagetools.errors import ConfigurationError, HostError
from winimagetools.host.linux.disks import LinuxDisks
from winimagetools.host.windows.disks import WindowsDisks
from winimagetools.host.windows.powershell import PowerShell
from winimagetools.workflows import build


@pytest.mark.parametrize("make", [build.new_windows_cloud_image, build.new_windows_online_image])
def test_a_host_without_volumes_refuses(
    make: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is done, with what to do instead; together with what else is wrong."""
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    config, lines = tmp_path / "config.ini", list[str]()
    config.write_text(config_text({**CLOUD, "external_switch": "external"}))
    host = recording_host(OneRelease(), lines.append)
    with pytest.raises(HostError, match="this host does not show") as raised:
        make(config, host=host, verify=True)
    assert raised.value.hint.endswith("winimagetools test-image --strict-ntfs IMAGE")
    with pytest.raises(ConfigurationError, match=r"(?s)this host does not show.*image_name"):
        make(config, host=host, verify=True, overrides=["image_name=Windows 3.11"])
    assert not [line for line in lines if line.startswith(("create", "put"))]


def test_which_host_shows_volumes() -> None:
    """Linux does; on Windows an attached volume is Windows's own."""
    assert LinuxDisks().shows_volumes()
    assert not WindowsDisks(PowerShell()).shows_volumes()


@pytest.mark.parametrize("words", [["--verify"], []])
@pytest.mark.parametrize(
    ("command", "function"),
    [
        ("cloud-image", "new_windows_cloud_image"),
        ("online-image", "new_windows_online_image"),
        ("New-WindowsCloudImage", "new_windows_cloud_image"),
    ],
)
def test_the_option(
    command: str, function: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reaches the workflow, in either spelling of the command."""
    asked: list[dict[str, Any]] = []

    def make(_path: object, **options: Any) -> object:
        asked.append(options)
        raise KeyboardInterrupt

    monkeypatch.setattr(build, function, make)
    main.main([command, "config.ini", *words])
    assert [options.get("verify", False) for options in asked] == [bool(words)]


def test_a_golden_image_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    """Its volume is not written here, so there is no such option."""
    with pytest.raises(SystemExit, match="2"):
        main.main(["golden-image", "config.ini", "--verify"])
    assert "--verify" in capsys.readouterr().err
