"""Reading a matrix file."""

from __future__ import annotations

from pathlib import Path

import pytest

from winimagetools.errors import ConfigurationError
from winimagetools.matrix.description import Description, Limits, Rule, read_description
from winimagetools.model import GIB


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a base configuration and two media."""
    for name in ("config.ini", "2022.iso", "2025.iso"):
        (tmp_path / name).touch()
    return tmp_path


def read(folder: Path, text: str) -> Description:
    """The description in a file with this text."""
    path = folder / "matrix.toml"
    path.write_text(text, encoding="utf-8")
    return read_description(path)


def problems(folder: Path, text: str) -> list[str]:
    """What is said against it, without the advice."""
    with pytest.raises(ConfigurationError) as raised:
        read(folder, text)
    assert all(problem.hint for problem in raised.value.problems)
    return [problem.finding for problem in raised.value.problems]


def test_the_smallest(folder: Path) -> None:
    """A base configuration alone is one cell made of it."""
    found = read(folder, 'base = "config.ini"')
    assert found.base == folder / "config.ini"
    assert (found.workflow, found.images, found.axes) == ("cloud", folder / "images", {})
    assert found.limits == Limits(machines=1)


def test_everything(folder: Path) -> None:
    """Axes, exceptions, options of all, some and a target's cells, and limits."""
    found = read(
        folder,
        """
        base = "config.ini"
        workflow = "Online"
        images = "out"
        cache = "/srv/stages"
        sign_key = "key.pem"
        [axes]
        media = ["2022.iso", "2025.iso"]
        editions = ["*STANDARD", "*STANDARD"]
        firmware = ["bios", "UEFI"]
        containers = ["qcow2"]
        targets = ["kubevirt"]
        [options]
        image_type = "KVM"
        vm.disk_size = "30GB"
        "vm.cpu_count" = 2
        force = true
        [[exclude]]
        edition = "*2025*"
        firmware = "BIOS"
        [[when]]
        medium = "2022"
        options = { drivers.drivers_path = "old" }
        [target.kubevirt]
        container = "qcow2"
        publish = "containerdisk"
        run = true
        with = { image = "registry.example/windows:2022" }
        options = { install_maas_hooks = false }
        [limits]
        machines = 3
        memory = "16GB"
        jobs = 4
        """,
    )
    assert found.workflow == "online"
    assert (found.images, found.cache) == (folder / "out", Path("/srv/stages"))
    assert found.sign_key == folder / "key.pem"
    assert found.media == {"2022": folder / "2022.iso", "2025": folder / "2025.iso"}
    assert found.axes == {
        "medium": ("2022", "2025"),
        "edition": ("*STANDARD",),
        "firmware": ("BIOS", "UEFI"),
        "container": ("QCOW2",),
        "target": ("kubevirt",),
    }
    assert found.exclude == ({"edition": "*2025*", "firmware": "BIOS"},)
    assert found.options == (
        "image_type=KVM",
        "vm.disk_size=30GB",
        "vm.cpu_count=2",
        "force=True",
    )
    assert found.rules == (Rule({"medium": "2022"}, ("drivers.drivers_path=old",)),)
    target = found.targets["kubevirt"]
    assert (target.container, target.publish) == ("QCOW2", "containerdisk")
    assert target.parameters == ("image=registry.example/windows:2022",)
    assert target.options == ("install_maas_hooks=False",)
    assert target.run
    assert found.limits == Limits(3, 16 * GIB, 0, 4)


def test_media_with_names(folder: Path) -> None:
    """A table names them."""
    found = read(folder, 'base = "config.ini"\naxes.media = { new = "2025.iso" }')
    assert found.media == {"new": folder / "2025.iso"}


def test_targets_are_an_axis_of_their_own(folder: Path) -> None:
    """All of them, when the axis does not choose."""
    found = read(folder, 'base = "config.ini"\n[target.b]\n[target.a]\n')
    assert found.axes == {"target": ("b", "a")}


def test_all_problems_at_once(folder: Path) -> None:
    """What is wrong is said in one message, each with its table and key."""
    assert problems(
        folder,
        """
        base = "missing.ini"
        workflow = "fast"
        image = "x"
        [axes]
        media = ["2022.iso", "sub/2022.iso", "none.iso"]
        editions = "all"
        firmware = ["EFI"]
        containers = ["ISO"]
        targets = ["nowhere"]
        colours = []
        [options]
        vm.disk_sise = "1GB"
        image_path = "x.vhdx"
        force = [1]
        [[exclude]]
        [[when]]
        size = "large"
        [target.a]
        container = "DVD"
        [limits]
        machines = 0
        memory = "much"
        """,
    ) == [
        "image: It means nothing here.",
        "[axes] media: Two media are called 2022.",
        f"[axes] media: The medium {folder / 'none.iso'} does not exist.",
        "[target.a] container: 'DVD' is no container.",
        f"base: The file {folder / 'missing.ini'} does not exist.",
        "workflow: 'fast' is none.",
        "[axes] colours: It means nothing here.",
        "[axes] editions: It is no list of texts.",
        "[axes] firmware: 'EFI' is no firmware.",
        "[axes] containers: 'ISO' is no container.",
        "[axes] targets: There is no target nowhere.",
        "[exclude]: It matches everything.",
        "[options] vm.disk_sise: There is no such option.",
        "[options] image_path: The matrix sets it for each cell.",
        "[options] force: It is neither text nor number.",
        "[when] options: It has no options.",
        "[when] size: It means nothing here.",
        "[limits] machines: 0 is no such number.",
        "[limits] memory: 'much' is not a size.",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["base: No base configuration is named."]),
        ("base = 3", ["base: It is no text."]),
        ('base = "config.ini"\nexclude = 3', ["exclude: It is no list of tables."]),
        ('base = "config.ini"\naxes = 3', ["axes: It is no table."] * 2),
        ('base = "config.ini"\ntarget.a = 3', ["[target] a: It is no table."]),
        (
            'base = "config.ini"\ntarget.a.run = "yes"',
            ["[target.a] run: It is neither true nor false."],
        ),
        ('base = "config.ini"\naxes.media = [3]', ["[axes] media: A medium is no path."]),
    ],
)
def test_wrong_kinds(folder: Path, text: str, said: list[str]) -> None:
    """A value of another kind is said to be one."""
    assert list(dict.fromkeys(problems(folder, text))) == list(dict.fromkeys(said))


def test_no_such_file(folder: Path) -> None:
    """It is not there, or is no TOML: one sentence, with the line where there is one."""
    with pytest.raises(ConfigurationError, match=r"none\.toml cannot be used: It does not exist"):
        read_description(folder / "none.toml")
    assert problems(folder, "a = b")[0].startswith("It is no TOML: Invalid value (at line 1")
    (folder / "matrix.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="It is no TOML"):
        read_description(folder / "matrix.toml")
