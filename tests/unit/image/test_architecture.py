"""The one table of architecture names."""

from __future__ import annotations

import pytest

from winimagetools.errors import RequestError
from winimagetools.image.architecture import NAMES, ArchitectureNames, require
from winimagetools.model import Architecture

EXPECTED = {
    Architecture.AMD64: ArchitectureNames(
        "amd64", "amd64", "x64", ("x86_64", "x64"), "x64", "zapfree.exe"
    ),
    Architecture.X86: ArchitectureNames(
        "x86", "x86", "x86", ("i386", "x86"), "x86", "zapfree32.exe"
    ),
    Architecture.ARM64: ArchitectureNames(
        "arm64", "ARM64", "", ("aarch64", "arm64"), "", "zapfree32.exe"
    ),
    Architecture.ARM: ArchitectureNames("arm"),
    Architecture.IA64: ArchitectureNames("ia64"),
}


@pytest.mark.parametrize("architecture", list(Architecture))
def test_every_architecture_is_named(architecture: Architecture) -> None:
    """Each architecture of the model has exactly the published names."""
    assert NAMES[architecture] == EXPECTED[architecture]


@pytest.mark.parametrize("architecture", list(Architecture))
def test_the_answer_file_uses_the_name_of_the_model(architecture: Architecture) -> None:
    """``processorArchitecture`` is the value of the enumeration."""
    assert NAMES[architecture].unattend == architecture.value


def test_no_name_is_shared_by_two_architectures() -> None:
    """A guest agent file name can never stand for two architectures."""
    names = [name for entry in NAMES.values() for name in entry.guest_agent]
    assert len(names) == len(set(names)) == 6


def test_require_returns_a_name_that_exists() -> None:
    """A published name is handed back."""
    assert require("x64", Architecture.AMD64, "installer", "Bring one.") == "x64"


def test_require_refuses_what_is_not_published() -> None:
    """The error names the thing and the architecture and says what to do."""
    with pytest.raises(RequestError) as caught:
        require("", Architecture.ARM64, "installer", "Bring one.")
    assert str(caught.value) == "There is no installer for arm64 Windows. Bring one."
