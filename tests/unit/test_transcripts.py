"""What each workflow plans and then asks of a host, step by step, against golden files.

After a wanted change write them anew and read the difference::

    pytest tests/unit/test_transcripts.py --rewrite-transcripts
    git diff fixtures/transcripts
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from tests.unit.dry_build import Case, config_text, lay_out, plan_lines, transcript
from tests.unit.transcript_cases import CASES
from winimagetools.image.request import Workflow

FOLDER = Path(__file__).parents[2] / "fixtures" / "transcripts"
MAKING = (Workflow.CLOUD, Workflow.ONLINE, Workflow.GOLDEN)
INSIDE = (
    "copy <data>/guest to",
    r"copy <here>/resources to \UnattendResources\CustomResources",
    r"copy <here>/scripts to \UnattendResources\CustomScripts",
    r"write \UnattendResources\config.ini",
    r"write \Windows\System32\GroupPolicy\User\Registry.pol",
    r"write \UnattendResources\zapfree.exe",
    r"qemu-ga.msi to \UnattendResources\qemu-ga.msi",
    r"to \UnattendResources\CloudbaseInit.msi",
)
OFFLINE = (
    "compare the servicing tools",
    "create a BIOS disk",
    r"write \Unattend.xml",
    *INSIDE,
    "apply image 1",
    "bootable with BIOS firmware",
    "(vendor/vioscsi.inf)",
    "(NetKVM/2k12R2/amd64/netkvm.inf)",
    "enable features Hyper-V",
    "enable features TelnetClient",
    "add package <here>/first.msu, errors ignored",
    "add package <here>/second.cab, errors ignored",
    "add capabilities OpenSSH.Server~~~~0.0.1.0",
    "add capabilities App.Support~~~~0.0.1.0",
    "clean up updates and reset the base",
    "write out and trim",
    "close ",
)
ONLINE = ("run a generation 1 machine", "shrink ", "optimize ")
DELIVER = ("convert ", "remove ", "put ")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything the configurations name."""
    folder = tmp_path_factory.mktemp("build")
    lay_out(folder)
    return folder


def golden_text(case: Case, folder: Path) -> str:
    """A golden file: the workflow, the configuration, the plan, then what the host was asked.

    What a golden image holds is known only once its copy is open, so there is no plan before.
    """
    head = [f"{case.workflow.value} on a host that builds in {case.work_format}", ""]
    config = [f"    {line}" for line in config_text(case.options).splitlines()]
    from_medium = case.workflow in (Workflow.CLOUD, Workflow.ONLINE)
    plan = ["THE PLAN", *plan_lines(case, folder), ""] if from_medium else []
    return "\n".join(
        [*head, *config, "", *plan, "WHAT THE HOST WAS ASKED", *transcript(case, folder), ""]
    )


@pytest.mark.parametrize("name", CASES)
def test_transcript(name: str, here: Path, pytestconfig: pytest.Config) -> None:
    """The steps and their order are those of the golden file."""
    text = golden_text(CASES[name], here)
    path = FOLDER / f"{name}.txt"
    if pytestconfig.getoption("--rewrite-transcripts"):
        path.write_text(text, encoding="utf-8", newline="\n")
    assert path.read_text(encoding="utf-8") == text


def test_every_file_is_compared() -> None:
    """There is no golden file that no case writes."""
    assert {path.stem for path in FOLDER.iterdir()} == set(CASES)


def test_no_secret_and_no_path_of_this_machine() -> None:
    """Passwords stand in the configuration only, and paths begin with a name in brackets."""
    for path in FOLDER.iterdir():
        steps = "\n\n".join(path.read_text(encoding="utf-8").split("\n\n")[2:])
        assert "Sesame" not in steps
        assert str(Path.cwd()) not in steps
        assert "copy /" not in steps


def test_every_workflow_meets_everything() -> None:
    """Firmwares, platforms and the larger options are not all tried together, but all tried.

    ``convert`` asks for none of them, and the host only for what every delivery asks for.
    """
    tried = {
        (case.workflow, case.options.get("disk_layout", "BIOS")) for case in CASES.values()
    } | {(case.workflow, case.options.get("image_type", "HYPER-V")) for case in CASES.values()}
    workflows = set(Workflow) - {Workflow.CONVERT}
    assert set(product(workflows, ("HYPER-V", "KVM", "MAAS", "VMware"))) <= tried
    assert set(product(MAKING, ("BIOS", "UEFI"))) <= tried
    together = {
        (case.options.get("disk_layout", "BIOS"), case.options.get("image_type", "HYPER-V"))
        for case in CASES.values()
    }
    assert len(together) == 8
    for option in ("install_updates", "drivers_path", "compression_format"):
        given = {(case.workflow, bool(case.options.get(option))) for case in CASES.values()}
        assert set(product(MAKING, (True, False))) <= given
    for option in ("run_sysprep", "shrink_image_to_minimum_size"):
        given = {(case.workflow, bool(case.options.get(option, True))) for case in CASES.values()}
        assert set(product(MAKING[1:], (True, False))) <= given
    assert any(case.options.get("gold_image") for case in CASES.values())


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("cloud-bios-everything", (*OFFLINE, *DELIVER)),
        ("online-bios-everything", (*OFFLINE, *ONLINE, *DELIVER)),
        (
            "golden-bios-everything",
            (
                "copy the disk gold.vhdx",
                "resize ",
                "open ",
                "extend the Windows partition",
                "(NetKVM/2k12R2/amd64/netkvm.inf)",
                "(vendor/vioscsi.inf)",
                "let the boot manager",
                *INSIDE,
                "close ",
                *ONLINE,
                *DELIVER,
            ),
        ),
        (
            "test-maas-targz",
            ("unwrap tar.gz", "ask for the container", "convert", "open ", "close "),
        ),
    ],
)
def test_order(name: str, order: tuple[str, ...], here: Path) -> None:
    """The order of the PowerShell tools, whatever the golden files say.

    Other drivers come before those of the virtio ISO, but after them in a golden image.
    """
    lines = transcript(CASES[name], here)
    found = [next((i for i, line in enumerate(lines) if part in line), -1) for part in order]
    assert -1 not in found, [part for part, i in zip(order, found, strict=True) if i < 0]
    assert found == sorted(found)


@pytest.mark.parametrize("name", CASES)
def test_wallpaper_is_taken_away_in_golden_images_only(name: str, here: Path) -> None:
    """Without enable_custom_wallpaper a golden image loses its wallpaper; others keep theirs."""
    case = CASES[name]
    removed = r"remove \Windows\Web\Wallpaper\Cloud\Wallpaper.jpg" in transcript(case, here)
    off = case.options.get("enable_custom_wallpaper") is False
    assert removed == (off and case.workflow is Workflow.GOLDEN)


def test_nothing_runs_when_sysprep_is_off(here: Path) -> None:
    """Without run_sysprep there is no virtual machine; the disk is made small all the same."""
    for name in ("online-bios-maas-without-sysprep", "golden-uefi-hyperv-without-sysprep"):
        lines = transcript(CASES[name], here)
        assert not [line for line in lines if "machine" in line]
        assert [line for line in lines if line.startswith("optimize ")]
