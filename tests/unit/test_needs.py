"""Which skipped tests make a run fail."""

from __future__ import annotations

import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import needs

SKIPS = {
    "a": "needs Windows with Hyper-V turned on",
    "b": "needs genuine data: bcd/x.BCD",
    "c": "needs PowerShell: pwsh is not in PATH",
    "d": "xorriso is missing (apt install xorriso)",
    "e": "needs the right to mount a file system",
    "f": "needs a kernel of Debian: .ci/guest fetches it",
    "g": "needs Chromium of Debian: chromium is not in PATH",
}
LINUX_CI = {"CI": "true"}


def _failed(
    environment: dict[str, str], platform: str, *, powershell: bool, debian: bool = False
) -> str:
    lines = needs.unexcused(
        SKIPS, environment, platform, has_powershell=powershell, is_debian=debian
    )
    assert all(line == f"{line[0]}: {SKIPS[line[0]]}" for line in lines)
    return "".join(line[0] for line in lines)


def test_a_plain_clone_in_ci() -> None:
    """Only the missing program is a failure."""
    assert _failed(LINUX_CI, "linux", powershell=False) == "d"


def test_what_is_there_must_be_used() -> None:
    """With genuine data, PowerShell or Debian, a test that is skipped for want of it fails too."""
    assert _failed(LINUX_CI, "linux", powershell=True) == "cd"
    assert _failed(LINUX_CI, "linux", powershell=False, debian=True) == "dfg"
    named = {**LINUX_CI, needs.GENUINE_DATA: "/data"}
    assert _failed(named, "linux", powershell=False) == "bd"


def test_outside_ci_and_on_windows_nothing_fails() -> None:
    """A person sees what is skipped; on Windows the Linux tests cannot run."""
    assert _failed({}, "linux", powershell=True) == ""
    assert _failed(LINUX_CI, "win32", powershell=True) == ""


def _reason(need: Callable[[], object]) -> str:
    with pytest.raises(pytest.skip.Exception) as caught:
        need()
    return str(caught.value.msg)


def test_reasons_name_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each reason says which file, variable, program or package would help."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(needs.GENUINE_DATA, raising=False)
    assert _reason(lambda: needs.genuine("hives/a.xz")) == (
        "needs genuine data: hives/a.xz in the folder that WINIMAGETOOLS_GENUINE_DATA names"
    )
    assert _reason(needs.powershell) == "needs PowerShell: pwsh is not in PATH"
    assert _reason(lambda: needs.program("frob", "frob-tools")) == (
        "frob is missing (apt install frob-tools)"
    )
    assert _reason(needs.browser) == "needs Chromium of Debian: chromium is not in PATH"
    monkeypatch.setenv(needs.GENUINE_DATA, str(tmp_path))
    assert _reason(lambda: needs.genuine("hives/a.xz")) == (
        f"needs genuine data: hives/a.xz is not in {tmp_path}, "
        "which WINIMAGETOOLS_GENUINE_DATA names"
    )


def test_genuine_data_is_read_and_unpacked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files come as they are, those packed with xz unpacked."""
    monkeypatch.setenv(needs.GENUINE_DATA, str(tmp_path))
    (tmp_path / "store").write_bytes(b"regf")
    assert needs.genuine("store") == b"regf"
    (tmp_path / "hive.xz").write_bytes(lzma.compress(b"hive"))
    assert needs.genuine("hive.xz") == b"hive"
