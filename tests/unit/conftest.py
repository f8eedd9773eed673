"""A unit test that starts a process or opens a network connection fails by itself."""

from __future__ import annotations

import socket
import subprocess
from typing import NoReturn

import pytest

from fixtures import boot_managers
from winimagetools import masking


@pytest.fixture(autouse=True)
def no_outside_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse processes and connections: such a test belongs to tests/integration."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a unit test must not start a process or open a connection")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    # What an earlier run has compiled would hide that a test needs a compiler.
    monkeypatch.setattr(boot_managers, "_build", refuse)


@pytest.fixture(autouse=True)
def own_secrets_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the secrets of a test after it: in another one they may be ordinary words."""
    monkeypatch.setattr(masking, "_secrets", set())
