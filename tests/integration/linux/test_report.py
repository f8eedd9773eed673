"""The report of an image that was really built, looked at with other programs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.integration.linux.build import Job
from winimagetools.cli.main import main


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
