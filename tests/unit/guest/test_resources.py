"""What is copied into the resources folder and into the folder for curtin."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.files import read_files
from tests.unit.fakes import put as put_into_image
from winimagetools.data import data_path
from winimagetools.guest.resources import (
    custom_resources,
    find_curtin_hooks,
    guest_config,
    unattend_resources,
)


def put(folder: Path, **files: str) -> Path:
    """A folder with files; ``__`` in a name stands for a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_the_guest_scripts_are_there() -> None:
    """Exactly the files of the package, the three entry points among them."""
    content = put_into_image(unattend_resources())
    expected = {
        f"UnattendResources/{path}": data for path, data in read_files(data_path("guest")).items()
    }
    assert content == expected
    for name in ("FirstLogon", "Logon", "Specialize"):
        assert f"UnattendResources/{name}.ps1" in expected


def test_maas_gets_the_hooks_of_this_project() -> None:
    """Both steps curtin runs, in their folder in the root."""
    content = put_into_image(unattend_resources(install_maas_hooks=True))
    hooks = {path: data for path, data in content.items() if path.startswith("curtin/")}
    assert set(hooks) == {"curtin/curtin-hooks", "curtin/finalize"}
    assert all(data.startswith(b"#!/usr/bin/env python3\n") for data in hooks.values())
    assert not any(b"\r" in data for data in hooks.values())


def test_hooks_of_the_user_win(tmp_path: Path) -> None:
    """The content of the given folder and nothing of ours."""
    own = put(tmp_path / "hooks", finalize="mine")
    content = put_into_image(unattend_resources(install_maas_hooks=True, curtin_source=own))
    hooks = {path: data for path, data in content.items() if path.startswith("curtin/")}
    assert hooks == {"curtin/finalize": b"mine"}


def test_without_maas_there_is_no_curtin_folder(tmp_path: Path) -> None:
    """Also when hooks are at hand."""
    content = put_into_image(unattend_resources(curtin_source=put(tmp_path, finalize="mine")))
    assert not [path for path in content if path.startswith("curtin")]


def test_hooks_are_found_beside_a_configuration(tmp_path: Path) -> None:
    """As the submodule lays them out, or directly; an empty submodule counts for nothing."""
    assert find_curtin_hooks(tmp_path) is None
    repository = put(tmp_path / "windows-curtin-hooks")
    assert find_curtin_hooks(tmp_path) is None
    put(repository, finalize="")
    assert find_curtin_hooks(tmp_path) == repository
    put(repository / "curtin", finalize="")
    assert find_curtin_hooks(tmp_path) == repository / "curtin"


def test_vmware_tools_are_renamed(tmp_path: Path) -> None:
    """Whatever the installer is called, the guest finds it."""
    installer = put(tmp_path, setup64__exe="tools") / "setup64.exe"
    content = put_into_image(unattend_resources(vmware_tools=installer))
    assert content["UnattendResources/VMware-tools.exe"] == b"tools"


def test_several_folders_become_one(tmp_path: Path) -> None:
    """Later folders win; resources and scripts stay apart; folders inside are kept."""
    first = put(tmp_path / "a", x="1", y="1")
    second = put(tmp_path / "b", y="2")
    put(second / "deep", z="3")
    scripts = put(tmp_path / "s", RunBeforeSysprep__ps1="exit 0")
    content = put_into_image(custom_resources([first, second], [scripts]))
    assert content == {
        "UnattendResources/CustomResources/x": b"1",
        "UnattendResources/CustomResources/y": b"2",
        "UnattendResources/CustomResources/deep/z": b"3",
        "UnattendResources/CustomScripts/RunBeforeSysprep.ps1": b"exit 0",
    }


def test_nothing_is_copied_without_folders() -> None:
    """Not even empty folders appear."""
    content = put_into_image(custom_resources())
    assert content == {}


def test_the_configuration_has_windows_line_ends() -> None:
    """UTF-8 without mark, each line ended once."""
    content = put_into_image(guest_config("[DEFAULT]\na=ä\r\nb=2"))
    assert content == {"UnattendResources/config.ini": "[DEFAULT]\r\na=ä\r\nb=2\r\n".encode()}


@pytest.mark.parametrize("below", ["", "Examples"])
def test_hooks_are_found_in_a_clone_of_the_powershell_tools(tmp_path: Path, below: str) -> None:
    """Their submodule lies in UnattendResources, beside the configuration or one folder above."""
    hooks = put(tmp_path / "UnattendResources/windows-curtin-hooks/curtin", finalize="")
    assert find_curtin_hooks(put(tmp_path / below)) == hooks
