"""The machine, or the builder, killed at any moment: nothing runs on, the golden image is whole."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures import boot_managers, guest, media
from fixtures.played import Played
from tests.integration.linux.build import Job
from tests.integration.linux.online import left, online_job, start
from tests.integration.linux.processes import machines
from tests.integration.linux.signing import call
from tests.needs import program
from winimagetools.errors import BuildError
from winimagetools.host.linux import linux_host
from winimagetools.model import DiskLayout
from winimagetools.workflows.build import new_windows_from_golden_image

MACHINE_KILLS, BUILDER_KILLS = 30, 10
PROMPT = 3.0
"""Seconds in which a machine has to be gone."""


@pytest.fixture(autouse=True)
def programs() -> None:
    """What all of these tests need."""
    program("qemu-system-x86_64", "qemu-system-x86")


@contextmanager
def killing(folder: Path, delay: float) -> Iterator[None]:
    """Kill the machine whose sockets are in a folder, some time after it has begun."""
    over = threading.Event()

    def kill() -> None:
        while not machines(folder) and not over.wait(0.01):
            pass
        over.wait(delay)
        for number in machines(folder):
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()


def test_a_machine_that_is_killed(
    install_wim: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """At 30 moments of its run: one error, everything kept, the golden image byte for byte."""
    gold = tmp_path / "gold.qcow2"
    for_gold = {
        "DEFAULT.disk_layout": "BIOS",
        "DEFAULT.image_path": gold,
        "DEFAULT.virtual_disk_format": "QCOW2",
    }
    assert Job(tmp_path, install_wim, for_gold).build("--no-report") == 0
    before = hashlib.sha256(gold.read_bytes()).hexdigest()
    options: dict[str, object] = {
        "DEFAULT__gold_image_path": gold,
        "DEFAULT__shrink_image_to_minimum_size": "False",
    }
    job = online_job(tmp_path, install_wim, DiskLayout.BIOS, **options)
    runs_on = Played((guest.BEGUN, "wait 20", guest.DONE), change=lambda tree: None)
    host = replace(linux_host(), vm=runs_on)
    temporary = request.getfixturevalue("nothing_left")
    chance = random.Random(14)
    for _ in range(MACHINE_KILLS):
        with (
            killing(temporary, chance.uniform(0, 1.5)),
            pytest.raises(BuildError, match=r"QEMU returned -9|could not be started"),
        ):
            new_windows_from_golden_image(job.write(), host=host)
        assert machines(temporary) == []
        assert list(temporary.iterdir()) == []
        gold_name, folder = left(job)
        assert gold_name == "gold.qcow2"
        assert (job.folder / folder / "resume.json").exists()
        assert (job.folder / folder / "qemu-command.txt").exists()
        assert hashlib.sha256(gold.read_bytes()).hexdigest() == before
        shutil.rmtree(job.folder / folder)


@pytest.fixture(scope="module")
def endless(
    tmp_path_factory: pytest.TempPathFactory,
    install_media: Callable[[media.MediaSpec], Path],
) -> Path:
    """A medium whose Windows never ends."""
    program("wimlib-imagex", "wimtools")
    folder = tmp_path_factory.mktemp("endless")
    manager, medium = folder / "bootmgr", folder / "install.wim"
    manager.write_bytes(boot_managers.bios())
    guest.play(manager, guest.BEGUN, "hang")
    shutil.copyfile(install_media(media.MediaSpec(editions=("ServerStandard",))), medium)
    edit = f"--command=add '{manager}' /Windows/Boot/PCAT/bootmgr"
    call("wimlib-imagex", "update", medium, "1", edit)
    return medium


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for sockets, which a builder that is killed cannot tidy up."""
    folder = Path(tempfile.mkdtemp(prefix="vm-"))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    shutil.rmtree(folder)


def test_a_builder_that_is_killed(endless: Path, tmp_path: Path, sockets: Path) -> None:
    """With SIGKILL while its machine starts or runs: nothing runs on, an older image stays."""
    job = online_job(tmp_path, endless, DiskLayout.BIOS)
    job.image.write_bytes(b"an older image")
    chance = random.Random(14)
    for number in range(BUILDER_KILLS):
        process = start(job)
        if number:
            time.sleep(chance.uniform(0.4, 2))
        else:
            wait_until(lambda: machines(sockets) != [])
        process.send_signal(signal.SIGKILL)
        process.communicate()
        began = time.monotonic()
        wait_until(lambda: machines(sockets) == [])
        assert time.monotonic() - began < PROMPT
        assert job.image.read_bytes() == b"an older image"


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that comes within a minute."""
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)
