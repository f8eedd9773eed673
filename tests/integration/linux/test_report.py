"""The report of an image that was really built, looked at with other programs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.integration.linux.build import Job
from tests.unit.output.report.sample import REPORT
from winimagetools.cli.main import main
from winimagetools.files.build_folder import BuildFolder, build_folder_of
from winimagetools.output.image_files import ImageFiles
from winimagetools.output.report.folder import write


def test_a_build_and_its_report(
    tmp_path: Path, install_wim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """sha256sum and openssl agree with verify; the partitions are those of the disk."""
    key, public = tmp_path / "key.pem", tmp_path / "public.pem"
    openssl = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)]
    subprocess.run(openssl, check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    (tmp_path / "job").mkdir()
    options = {
        "DEFAULT.image_path": tmp_path / "job" / "win.qcow2",
        "DEFAULT.virtual_disk_format": "QCOW2",
    }
    job = Job(tmp_path / "job", install_wim, options)
    assert job.build("--checksum", "--sign-key", str(key)) == 0
    report = job.image.with_name("win.qcow2.report")
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"],
        cwd=report,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "../win.qcow2: OK" in done.stdout.splitlines()
    assert len(done.stdout.splitlines()) == 5
    record = json.loads((report / "report.json").read_text())
    assert record["image"]["size"] == job.image.stat().st_size
    parts = record["image"]["partitions"]
    assert parts
    assert parts[-1]["start"] + parts[-1]["size"] <= record["image"]["disk_size"]
    capsys.readouterr()
    assert main(["verify", str(job.image), "--key", str(public)]) == 0
    assert "The provenance is of this image, signed with" in capsys.readouterr().out
    with job.image.open("r+b") as disk:
        disk.seek(1 << 20)
        disk.write(b"changed")
    assert main(["verify", str(job.image), "--key", str(public)]) == 2
    assert "win.qcow2 is not what was made" in capsys.readouterr().err


def test_the_map_of_a_wrapped_disk(tmp_path: Path, install_wim: Path) -> None:
    """It is that of the disk in the archive, as sfdisk sees it."""
    options = {
        "DEFAULT.image_path": tmp_path / "win.raw.tar.gz",
        "DEFAULT.compression_format": "tar.gz",
    }
    job = Job(tmp_path, install_wim, options)
    assert job.build() == 0
    record = json.loads((tmp_path / "win.raw.tar.gz.report" / "report.json").read_text())
    disk = tmp_path / "disk"
    with tarfile.open(job.image, "r|gz") as archive:
        member = archive.next()
        assert member is not None
        content = archive.extractfile(member)
        assert content is not None
        disk.write_bytes(content.read(1 << 20))
    os.truncate(disk, member.size)
    seen = subprocess.run(["sfdisk", "--json", disk], check=True, capture_output=True).stdout
    parts = json.loads(seen)["partitiontable"]["partitions"]
    assert parts
    assert [(part["start"], part["size"]) for part in record["image"]["partitions"]] == [
        (part["start"] * 512, part["size"] * 512) for part in parts
    ]


KILLED = """\
import os, signal, sys
from pathlib import Path
from winimagetools.output import image_files
image_files._move = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
private = Path(sys.argv[1])
image_files.ImageFiles().publish(private / "disk", Path(sys.argv[2]), report=private / "report")
"""
"""A delivery that is killed when the report is in its place and the image is not."""


def test_a_kill_between_report_and_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The older image is as it was, verify and publish notice, and the next delivery is whole."""
    image = tmp_path / "win.raw"
    deliver(image, b"the older one")
    assert main(["verify", str(image)]) == 0
    private = prepared(tmp_path, b"the newer one!")
    done = subprocess.run([sys.executable, "-c", KILLED, private, image], check=False)
    assert done.returncode == -signal.SIGKILL
    assert image.read_bytes() == b"the older one"
    assert main(["verify", str(image)]) == 2
    assert "win.raw is not what was made" in capsys.readouterr().err
    assert main(["publish", str(image), "maas"]) == 2
    assert "The report beside" in capsys.readouterr().err
    with BuildFolder(image) as emptied:
        assert [path.name for path in emptied.iterdir()] == ["lock"]
    deliver(image, b"the third one")
    assert main(["verify", str(image)]) == 0


def prepared(folder: Path, content: bytes) -> Path:
    """The private folder of a build that is about to deliver."""
    private = build_folder_of(folder / "win.raw")
    private.mkdir(mode=0o700)
    (private / "disk").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    facts = dataclasses.replace(
        REPORT.image, file="win.raw", format="RAW", size=len(content), sha256=digest
    )
    write(private / "report", dataclasses.replace(REPORT, image=facts))
    return private


def deliver(image: Path, content: bytes) -> None:
    """Deliver an image with its report."""
    private = prepared(image.parent, content)
    ImageFiles().publish(private / "disk", image, report=private / "report")
    private.rmdir()
