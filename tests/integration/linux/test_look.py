"""test-image, inspect, ls and copy-out on images of every kind."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from fixtures.finished_disks import LAYOUTS, HandMade, make_disk
from tests.files import read_files
from tests.integration.linux.build import Job, as_ordinary_user
from winimagetools.checks.result import State
from winimagetools.cli.main import main
from winimagetools.errors import MediaError, RequestError
from winimagetools.model import DiskFormat
from winimagetools.output.convert import QEMU_IMG
from winimagetools.run import run
from winimagetools.workflows.check import check_offline_image
from winimagetools.workflows.look import copy_out, inspect_image, list_folder, split_place


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, install_wim: Path) -> Path:
    """An image as cloud-image makes it."""
    job = Job(tmp_path_factory.mktemp("built"), install_wim)
    assert job.build("--no-checksum") == 0
    return job.image


@pytest.fixture(scope="module")
def hand_made(
    tmp_path_factory: pytest.TempPathFactory, install_wim: Path
) -> Callable[[str], HandMade]:
    """Makes each layout once."""
    made: dict[str, HandMade] = {}

    def make(layout: str) -> HandMade:
        if layout not in made:
            path = tmp_path_factory.mktemp(layout) / "disk.raw"
            made[layout] = make_disk(path, layout, install_wim)
        return made[layout]

    return make


def states(path: Path) -> dict[str, State]:
    """How the checks of an image ended."""
    return {result.name: result.state for result in check_offline_image(path).results}


def test_an_image_that_was_just_built(built: Path) -> None:
    """No fault; what it still waits for is said; nothing is changed or left."""
    before = hashlib.sha256(built.read_bytes()).digest()
    found = states(built)
    assert {name for name, state in found.items() if state is State.WARNING} == {
        "Cloudbase-Init",
        "storage driver",
        "leftovers",
    }
    assert State.FAILED not in found.values()
    assert hashlib.sha256(built.read_bytes()).digest() == before
    assert not list(built.parent.glob(".*"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(layout: str, hand_made: Callable[[str], HandMade]) -> None:
    """Disks that Setup or a user laid out have no fault; what lies behind Windows is said."""
    found = states(hand_made(layout).path)
    assert found["boot store"] is found["boot files"] is found["partitions"] is State.OK
    assert found["volume"] is State.OK
    behind = LAYOUTS[layout][-1] != "Windows"
    assert found["growth"] is (State.WARNING if behind else State.OK)


@contextmanager
def watched(folder: Path) -> Iterator[list[dict[str, int]]]:
    """Sees which files are below a folder, and how large they are, many times a second."""
    seen: list[dict[str, int]] = []
    done = Event()

    def look() -> None:
        while not done.wait(0.005):
            with suppress(FileNotFoundError):
                files = [item for item in folder.rglob("*") if item.is_file()]
                seen.append({item.name: item.stat().st_size for item in files})

    thread = Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("wrapped", ["tar.gz", "zip", "gz", "zip.tar"])
def test_wrapped_images(built: Path, tmp_path: Path, wrapped: str) -> None:
    """One disk lies beside it, no half-unwrapped file, and that is taken away again."""
    from winimagetools.output.image_files import ImageFiles

    copy = tmp_path / "win.qcow2"
    run(QEMU_IMG, ["convert", "-f", "raw", "-O", "qcow2", built, copy])
    size = copy.stat().st_size
    image = ImageFiles().compress(copy, wrapped.split("."), "")
    with watched(tmp_path) as seen:
        assert State.FAILED not in states(image).values()
    assert {name for names in seen for name in names} == {image.name, "lock", "win.qcow2"}
    most = image.stat().st_size + size + 4096
    assert max(sum(names.values()) for names in seen) <= most
    assert [item.name for item in tmp_path.iterdir()] == [image.name]


def test_with_a_configuration(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it asks for is compared; a fault is exit code 1, and the lines say which."""
    config = built.with_name("config.ini")
    options = ["--set", "image_type=MAAS"]
    assert main(["test-image", str(config), *options]) == 1
    text = capsys.readouterr().out
    assert "failed   Cloudbase-Init  Cloudbase-Init is not installed yet." in text
    assert "ok       layout          The disk is for UEFI firmware." in text
    other = ["--set", "image_name=Windows Server 2019 SERVERSTANDARD"]
    assert main(["test-image", str(config), *options, *other, "--json"]) == 1
    checks = {item["name"]: item for item in json.loads(capsys.readouterr().out)["checks"]}
    assert "not Windows Server 2019 SERVERSTANDARD" in checks["Windows"]["text"]


def test_damage_is_found(hand_made: Callable[[str], HandMade], tmp_path: Path) -> None:
    """A GPT without its backup, and a BCD store of another disk."""
    data = bytearray(hand_made("uefi").path.read_bytes())
    path = tmp_path / "disk.raw"
    path.write_bytes(data[:-600] + bytes(600))
    assert states(path)["partitions"] is State.FAILED
    guid = hand_made("uefi").windows.guid
    assert guid is not None
    place = data.index(guid.bytes_le, 1 << 20)  # not the table itself
    data[place : place + 16] = bytes(16)
    path.write_bytes(data)
    assert states(path)["boot store"] is State.FAILED


@pytest.mark.parametrize("command", ["test-image", "inspect", "ls"])
def test_a_wrapping_that_is_not_read(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no configuration, and the command that takes it off is named."""
    image = tmp_path / "win.qcow2.xz"
    image.write_bytes(b"\xfd7zXZ\0" + bytes(64))
    assert main([command, str(image)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "is wrapped in a way that is not read" in said
    assert "xz -dk win.qcow2.xz" in said


def test_inspect(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Windows, disk and what waits, as text and as JSON that says the same."""
    found = inspect_image(built)
    assert found.windows == "Windows Server 2022 ServerStandard"
    assert found.disk is not None and len(found.disk.partitions) == 3
    assert main(["inspect", str(built), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["version"], record["architecture"]) == ("10.0.20348.587", "amd64")
    assert record["disk"]["partitions"][2]["role"] == "Windows"
    assert main(["inspect", str(built)]) == 0
    text = capsys.readouterr().out
    assert "Version:      10.0.20348.587 amd64" in text
    assert "  [EEEEEmmmm" in text


def test_ls_and_copy_out(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder, a file, and everything in a folder; copies are private and never overwrite."""
    names = {item.name: item.size for item in list_folder(rf"{built}:\Windows\System32\config")}
    assert (names["SYSTEM"], names["RegBack"]) == (65536, None)
    assert [item.name for item in list_folder(f"{built}:/windows/WIN.ini")] == ["WIN.ini"]
    assert main(["ls", str(built)]) == 0
    assert "Unattend.xml" in capsys.readouterr().out
    made = copy_out(rf"{built}:\Windows\System32\config", tmp_path / "out")
    files = read_files(tmp_path / "out")
    assert len(files["config/SYSTEM"]) == 65536
    assert len(made) == len(files)
    assert list((tmp_path / "out/config/RegBack").iterdir()) == []
    assert made[0].stat().st_mode & 0o777 == 0o600
    with pytest.raises(RequestError, match="exists already"):
        copy_out(rf"{built}:\Windows\System32\config", tmp_path / "out")
    with pytest.raises(RequestError, match=r"There is no .nothing in"):
        list_folder(rf"{built}:\nothing")
    with pytest.raises(MediaError, match="does not exist"):
        list_folder(str(tmp_path / "no.qcow2"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"a.qcow2:\Windows\x", ("a.qcow2", r"Windows\x")),
        ("dir/a.raw:/Windows/", ("dir/a.raw", "Windows")),
        (r"C:\images\a.vhdx:\Users", (r"C:\images\a.vhdx", "Users")),
        (r"C:\images\a.vhdx", (r"C:\images\a.vhdx", "")),
        ("a.raw", ("a.raw", "")),
        ("a.raw:", ("a.raw", "")),
    ],
)
def test_places(text: str, expected: tuple[str, str]) -> None:
    """The image and the path inside."""
    path, inside = split_place(text)
    assert (str(path), inside) == expected


@pytest.mark.parametrize("container", list(DiskFormat))
def test_as_an_ordinary_user(built: Path, container: DiskFormat) -> None:
    """Without any privilege and without FUSE, from a file that may only be read."""
    # Not below pytest's own folder, which only its owner may enter.
    with tempfile.TemporaryDirectory(prefix="ordinary-user-") as name:
        image = Path(name, f"win.{container.extension}")
        run(QEMU_IMG, ["convert", "-f", "raw", "-O", container.qemu_name, built, image])
        image.chmod(0o444)
        argv = [sys.executable, "-m", "winimagetools", "test-image", str(image), "--json"]
        argv = as_ordinary_user(argv, Path(name))
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["passed"]
        assert [item.name for item in Path(name).iterdir()] == [image.name]
