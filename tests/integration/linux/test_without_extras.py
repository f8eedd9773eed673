"""The plain tool in an environment that has its own dependencies and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.integration.linux.build import SERVER, Job
from winimagetools.cli.commands import COMMANDS

ROOT = Path(__file__).parents[3]
RUN = """
import contextlib, io, json, sys
sys.path.append(sys.argv[1])
from winimagetools.cli.main import main
done = []
for words in json.load(sys.stdin):
    output, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(error):
        try:
            code = main(words)
        except SystemExit as ended:
            code = ended.code
    done.append([code, output.getvalue(), error.getvalue()])
json.dump(done, sys.stdout)
"""


def needed(requirements: Sequence[str], known: dict[str, Distribution]) -> None:
    """Add the distributions that requirements name, and those they need, without extras."""
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        if requirement.name not in known:
            known[requirement.name] = found = distribution(requirement.name)
            needed(found.requires or [], known)


def files_of(found: Distribution) -> Iterator[Path]:
    """What it has put into the folder of packages."""
    for name in {Path(str(file)).parts[0] for file in found.files or []}:
        if name not in ("..", "__pycache__"):
            yield Path(str(found.locate_file(name)))


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages as ``pip install .`` leaves it."""
    folder = tmp_path_factory.mktemp("packages")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known: dict[str, Distribution] = {}
    needed(project["dependencies"], known)
    for found in known.values():
        for file in files_of(found):
            if not (folder / file.name).exists():
                (folder / file.name).symlink_to(file)
    (folder / "winimagetools").symlink_to(ROOT / "winimagetools")
    return folder


def run(packages: Path, folder: Path, *lines: Sequence[str]) -> list[tuple[int, str, str]]:
    """Run command lines there: exit code, output and errors of each."""
    done = subprocess.run(
        # Neither folders of packages nor variables of this Python.
        [sys.executable, "-I", "-S", "-c", RUN, str(packages)],
        input=json.dumps(lines),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return [(code, output, error) for code, output, error in json.loads(done.stdout)]


def test_every_command_but_matrix(tmp_path: Path, install_wim: Path, packages: Path) -> None:
    """What needs neither a virtual machine nor a cluster is done, the others say what they do."""
    job = Job(tmp_path, install_wim)
    config, image = str(job.write()), str(job.image)
    again = tmp_path / "again.vhdx"
    form = ["--set=virtual_disk_format=VHDX", f"--set=image_path={again}"]
    done = {
        "new-config": (["new.ini"], ""),
        "show-config": ([config], "RAW"),
        "wim-info": ([str(install_wim)], SERVER),
        "cloud-image": ([config], image),
        "test-image": ([image], ""),
        "inspect": ([image], "Windows Server"),
        "ls": ([rf"{image}:\Windows"], "System32"),
        "copy-out": ([rf"{image}:\UnattendResources\config.ini", "out"], ""),
        "convert": ([image, config, *form], str(again)),
        "verify": ([str(again)], ""),
        "publish": ([image, "libvirt"], "virt-install"),
        "ini get": ([config, "image_name"], SERVER),
        "ini set": ([config, "image_name", "x"], ""),
        "ini remove": ([config, "image_name"], ""),
        "cache ls": (["--cache", "cache"], "in "),
        "cache prune": (["--cache", "cache"], ""),
        "cache verify": (["--cache", "cache"], "All intact."),
        "guide": (["matrix"], "winimagetools[matrix]"),
        "completion": (["bash"], "winimagetools"),
    }
    others = [" ".join(c.names) for c in COMMANDS if " ".join(c.names) not in done]
    lines = [[*name.split(), *words] for name, (words, _) in done.items()]
    lines += [[*name.split(), "--help"] for name in others]
    for line, (code, output, error) in zip(lines, run(packages, tmp_path, *lines), strict=True):
        assert code == 0, (line, error)
        wanted = next((text for name, (_, text) in done.items() if line[:1] == [name]), "")
        assert wanted in output, line
    assert again.is_file()
    assert (tmp_path / "out" / "config.ini").read_bytes().startswith(b"[DEFAULT]\r\n")


def test_matrix(tmp_path: Path, install_wim: Path, packages: Path) -> None:
    """One error with the command that installs what is missing; what would be made can be seen."""
    Job(tmp_path, install_wim).write()
    text = 'base = "config.ini"\ncache = "cache"\n[axes]\nfirmware = ["BIOS", "UEFI"]\n'
    (tmp_path / "matrix.toml").write_text(text)
    listed, made = run(
        packages, tmp_path, ["matrix", "matrix.toml", "--list"], ["matrix", "matrix.toml"]
    )
    assert (listed[0], listed[1].count("make")) == (0, 4)
    assert made[0] == 3
    assert made[2].splitlines()[-2:] == [
        "error: Snakemake is not installed; it runs the stages of a matrix.",
        "       Install it: pip install 'winimagetools[matrix]'",
    ]
    assert list((tmp_path / "cache" / "stages").iterdir()) == []
