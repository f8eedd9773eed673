"""A folder and a host for tests that read configurations."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.dry_build import FakeMedia, lay_out
from tests.unit.recording_host import recording_host
from winimagetools.contract import Host
from winimagetools.model import (
    DiskFormat,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with every file a configuration may name; the current one."""
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def host() -> Host:
    """A host that lacks nothing."""
    return recording_host(FakeMedia(), lambda _: None, work_format=DiskFormat.VHDX)
