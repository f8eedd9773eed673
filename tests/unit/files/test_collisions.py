from __future__ import annotations

from pathlib import Path

import pytest

from winimagetools.files.collisions import Collision, Input, collisions


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a medium, a golden image, and a folder that is copied in."""
    for name in ("install.wim", "gold.vhdx", "config.ini", "install.swm", "install2.swm"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "resources" / "sub").mkdir(parents=True)
    (tmp_path / "resources" / "sub" / "tool.exe").write_bytes(b"tool")
    return tmp_path


def found(target: Path, *inputs: tuple[str, Path]) -> list[tuple[str, str]]:
    """Option and message of what collides."""
    records = collisions(target, [Input(option, path) for option, path in inputs])
    return [(record.option, record.message) for record in records]


def test_a_target_of_its_own_collides_with_nothing(here: Path) -> None:
    """Whether it exists or not; neither does what is missing."""
    inputs = [("wim_file_path", here / "install.wim"), ("drivers_path", here / "resources")]
    missing = [("virtio_iso_path", here / "no.iso"), ("msi_path", here / "no" / "a.msi")]
    (here / "older.raw").write_bytes(b"older")
    assert found(here / "image.raw", *inputs, *missing) == []
    assert found(here / "older.raw", *inputs, *missing) == []


def test_a_target_that_is_an_input(here: Path) -> None:
    """Every option that names it is told, the configuration too."""
    target = here / "install.wim"
    records = collisions(
        target,
        [
            Input("wim_file_path", target),
            Input("gold_image_path", here / "gold.vhdx"),
            Input("msi_path", here / "sub" / ".." / "install.wim"),
            Input("msi_path", here / "resources" / ".." / "install.wim"),
        ],
    )
    assert records == (
        Collision(
            "wim_file_path", f"{target} is the same file as {target}, which wim_file_path names."
        ),
        Collision(
            "msi_path",
            f"{target} is the same file as {here / 'resources' / '..' / 'install.wim'}, "
            "which msi_path names.",
        ),
    )
    assert found(here / "config.ini", ("", here / "config.ini")) == [
        (
            "",
            f"{here / 'config.ini'} is the same file as {here / 'config.ini'}, "
            "which is read by this build.",
        )
    ]


@pytest.mark.parametrize("make", ["symlink_to", "hardlink_to"])
@pytest.mark.parametrize("which", ["target", "input"])
def test_links_are_seen_through(here: Path, make: str, which: str) -> None:
    """A golden image is never replaced, whatever it is called."""
    getattr(here / "other.vhdx", make)(here / "gold.vhdx")
    names = [here / "other.vhdx", here / "gold.vhdx"]
    target, path = names if which == "target" else names[::-1]
    assert found(target, ("gold_image_path", path)) == [
        ("gold_image_path", f"{target} is the same file as {path}, which gold_image_path names.")
    ]


def test_a_target_in_a_linked_folder(here: Path) -> None:
    """Links in the way to it count too."""
    (here / "link").symlink_to(here)
    assert found(here / "link" / "gold.vhdx", ("gold_image_path", here / "gold.vhdx")) != []


def test_a_target_in_a_folder_that_is_copied_in(here: Path) -> None:
    """The image would be put into itself; a folder with a similar name is no such folder."""
    folder = here / "resources"
    (here / "link").symlink_to(folder)
    for target in (folder / "image.raw", folder / "sub" / "x.raw", here / "link" / "x.raw"):
        assert found(target, ("custom_resources_path", folder)) == [
            (
                "custom_resources_path",
                f"{target} lies in {folder}, which custom_resources_path names.",
            )
        ]
    (here / "resources2").mkdir()
    assert found(here / "resources2" / "image.raw", ("custom_resources_path", folder)) == []
    assert found(here / "image.raw", ("custom_resources_path", here / "link")) == []


def test_a_folder_that_is_the_target(here: Path) -> None:
    """It would be replaced by a file."""
    assert found(here / "resources", ("drivers_path", here / "resources")) == [
        (
            "drivers_path",
            f"{here / 'resources'} is the same folder as {here / 'resources'}, "
            "which drivers_path names.",
        )
    ]


@pytest.mark.parametrize("make", ["symlink_to", "hardlink_to"])
def test_a_link_in_a_folder_that_is_copied_in(here: Path, make: str) -> None:
    """The older image would be copied into the new one and be replaced meanwhile."""
    (here / "older.raw").write_bytes(b"older")
    getattr(here / "resources" / "sub" / "link", make)(here / "older.raw")
    assert found(here / "older.raw", ("custom_resources_path", here / "resources")) == [
        (
            "custom_resources_path",
            f"{here / 'older.raw'} is a file of {here / 'resources'}, "
            "which custom_resources_path names.",
        )
    ]


def test_another_part_of_a_split_wim(here: Path) -> None:
    """The configuration names the first part only."""
    (here / "installer.swm").touch()
    assert found(here / "install2.swm", ("wim_file_path", here / "install.swm")) == [
        (
            "wim_file_path",
            f"{here / 'install2.swm'} is a part of {here / 'install.swm'}, "
            "which wim_file_path names.",
        )
    ]
    assert found(here / "installer.swm", ("wim_file_path", here / "install.swm")) == []


def test_an_input_in_the_folder_the_build_works_in(here: Path) -> None:
    """It would be removed before it is read."""
    (here / ".image.raw.building").mkdir()
    medium = here / ".image.raw.building" / "install.wim"
    medium.touch()
    assert found(here / "image.raw", ("wim_file_path", medium)) == [
        (
            "wim_file_path",
            f"{here / 'image.raw'} is built in the folder of {medium}, which wim_file_path names.",
        )
    ]


def test_a_link_that_leads_nowhere_or_to_itself(here: Path) -> None:
    """Neither is an error here; whoever reads the input says what is wrong with it."""
    (here / "broken").symlink_to("nowhere")
    (here / "loop").symlink_to("loop")
    inputs = [("msi_path", here / "broken"), ("drivers_path", here / "loop")]
    assert found(here / "image.raw", *inputs) == []
    assert found(here / "loop", *inputs) != []
