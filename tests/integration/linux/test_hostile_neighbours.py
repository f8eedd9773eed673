"""Other users and other programs on the same machine: nothing is lost, read or made wrong."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures.media import MediaSpec
from tests.integration.linux.build import NOBODY, Job, command, start
from tests.integration.linux.test_interruption import OLD, PATIENCE, is_old, wait_until_writing
from winimagetools.cli.main import main
from winimagetools.errors import CommandError, HostError
from winimagetools.model import MIB
from winimagetools.run import Tool, run

CHATTR = Tool("chattr", "e2fsprogs", "make a file immutable")
BAD, FAILED = 2, 1
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder as /tmp is: everybody may make files in it, only the owner may replace them."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777 | stat.S_ISVTX)
    return folder


@pytest.fixture
def job(tmp_path: Path, shared: Path, install_wim: Path) -> Job:
    """A job whose image goes to the shared folder, where an older one is."""
    (tmp_path / "job").mkdir()
    made = Job(tmp_path / "job", install_wim, {"DEFAULT.image_path": shared / "win.raw"})
    made.image.write_bytes(OLD)
    return made


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(item.name for item in folder.iterdir())


def refused(job: Job, capsys: pytest.CaptureFixture[str], code: int = BAD) -> str:
    """Build in vain; the one error. The older image is still there."""
    assert job.build() == code
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert error.count("error: ") == 1
    assert is_old(job.image)
    return error[error.index("error: ") :]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_link_in_place_of_the_build_folder(
    job: Job, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """What it leads to is neither emptied nor written to."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "lock").write_bytes(b"precious")
    (victim / "data").write_bytes(b"precious")
    link = shared / ".win.raw.building"
    link.symlink_to(victim if kind == "folder" else victim / "lock")
    assert "is not a folder this program made" in refused(job, capsys)
    assert [(path.name, path.read_bytes()) for path in sorted(victim.iterdir())] == [
        ("data", b"precious"),
        ("lock", b"precious"),
    ]
    assert link.is_symlink()


@needs_root
def test_the_build_folder_of_another_user(
    job: Job, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The image would be theirs to read."""
    theirs = shared / ".win.raw.building"
    theirs.mkdir(mode=0o777)
    (theirs / "lock").symlink_to("/etc/hostname")
    os.chown(theirs, NOBODY, NOBODY)
    message = refused(job, capsys)
    assert f"{theirs} belongs to another user (number {NOBODY})" in message
    assert names(theirs) == ["lock"]


@needs_root
def test_the_image_of_another_user_in_a_shared_folder(job: Job, shared: Path) -> None:
    """It could not be replaced at the end, so the build does not begin."""
    for path in (shared, job.image):
        os.chown(path, NOBODY, -1)
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    done = subprocess.run(
        [*drop, *command(job)], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == BAD, done.stderr
    assert "win.raw belongs to another user" in done.stderr
    assert "Apply" not in done.stderr
    assert is_old(job.image)
    assert names(shared) == ["win.raw"]


@pytest.fixture
def immutable(job: Job) -> Iterator[Path]:
    """An image that chattr protects, where the file system and this user can do that."""
    try:
        run(CHATTR, ["+i", job.image])
    except (CommandError, HostError) as error:
        pytest.skip(f"no immutable files here: {error}")
    yield job.image
    run(CHATTR, ["-i", job.image])


def test_an_immutable_image(job: Job, immutable: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told before the build, with the way out."""
    message = refused(job, capsys)
    assert f"{immutable} cannot be replaced because it is immutable" in message
    assert "chattr -i" in message


@pytest.mark.parametrize(("old", "new"), [(None, 0o600), (0o640, 0o640)])
def test_the_mode_of_a_finished_image(job: Job, old: int | None, new: int) -> None:
    """Private, or that of the image it replaces; nothing else is left in the folder."""
    if old is None:
        job.image.unlink()
    else:
        job.image.chmod(old)
    assert job.build("--no-checksum") == 0
    assert job.image.stat().st_mode & 0o777 == new
    assert job.image.stat().st_size == 2048 * MIB
    assert names(job.image.parent) == ["win.raw", "win.raw.report"]


def test_a_medium_that_is_replaced_during_the_build(
    tmp_path: Path, install_wim: Path, install_media: Callable[[MediaSpec], Path]
) -> None:
    """Another WIM after the edition was chosen: the build stops and says so."""
    large = install_media(MediaSpec(editions=("ServerStandard",), bulk=120 * MIB))
    medium = tmp_path / "medium.wim"
    medium.hardlink_to(large)
    job = Job(tmp_path / "job", medium, {"DEFAULT.disk_layout": "BIOS"})
    job.folder.mkdir()
    job.image.write_bytes(OLD)
    process = start(job)
    wait_until_writing(job, process)
    shutil.copy(install_wim, tmp_path / "other")
    (tmp_path / "other").replace(medium)
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == BAD, error
    assert f"{medium} changed while it was used: it was replaced by another file." in error
    assert is_old(job.image)
    assert job.left_over() == []


LIES = {
    "mmd": ("UEFI", "#!/bin/sh\nexit 0\n", "mcopy"),
    "mcopy": ("UEFI", "#!/bin/sh\nexit 0\n", "is missing."),
    "mformat": ("UEFI", "#!/bin/sh\nexit 0\n", "mmd"),
    "grub-mkimage": ("BIOS", "#!/bin/sh\nexit 0\n", "has only 0 bytes"),
    "sfdisk": ("BIOS", "#!/bin/sh\nexit 0\n", "partition table"),
    "mkntfs": ("UEFI", "#!/bin/sh\nexit 0\n", "NTFS"),
    "qemu-img": ("UEFI", "#!/bin/sh\nexit 0\n", "qemu-img"),
}


@pytest.mark.parametrize("program", LIES)
def test_a_program_that_does_nothing_and_says_it_did(
    job: Job,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    program: str,
) -> None:
    """What it should have made is looked at; no such image is delivered."""
    layout, script, said = LIES[program]
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / program).write_text(script)
    (folder / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    options: dict[str, object] = {**job.options, "DEFAULT.disk_layout": layout}
    if program == "qemu-img":
        options["DEFAULT.virtual_disk_format"] = "QCOW2"
        options["DEFAULT.compress_qcow2"] = "True"  # which is not made in place
    assert said in refused(Job(job.folder, job.wim, options), capsys, FAILED)
    assert names(job.image.parent) == ["win.raw"]


def test_the_secrets_in_urls_do_not_show(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither in a dry run with everything it can say, nor in what show-config prints."""
    options = {
        **job.options,
        "custom.install_qemu_ga": "https://joe-user:pass%2Dword@host.invalid/a.msi?sig=t0ken%2Ft",
    }
    config = str(Job(job.folder, job.wim, options).write())
    assert main(["--debug", "cloud-image", config, "--dry-run"]) == 0
    assert main(["show-config", config]) == 0
    captured = capsys.readouterr()
    shown = captured.out + captured.err
    assert "https://***@host.invalid/a.msi?sig=***" in shown
    assert not any(secret in shown for secret in ("joe-user", "pass%2Dword", "t0ken", "pass-word"))
