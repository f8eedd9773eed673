"""The commands beside the workflows, and that each has both its spellings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.wim_bytes import image_xml, wim_bytes
from winimagetools.checks.result import Result, State
from winimagetools.cli import disk, image, main
from winimagetools.cli.commands import COMMANDS
from winimagetools.cli.parser import build_parser
from winimagetools.cli.translate import translate
from winimagetools.errors import HostError, RequestError
from winimagetools.host import HOSTS, attached_volume
from winimagetools.host.windows.disks import volume
from winimagetools.model import MIB, Architecture, WindowsVersion
from winimagetools.plan import ImageInfo
from winimagetools.settings.options import OPTIONS
from winimagetools.workflows import build
from winimagetools.workflows.check import CheckReport

SPELLINGS = {
    "New-WindowsImageConfig": "new-config",
    "Get-WindowsImageConfig": "show-config",
    "Get-WimFileImagesInfo": "wim-info",
    "New-WindowsCloudImage": "cloud-image",
    "New-WindowsOnlineImage": "online-image",
    "New-WindowsFromGoldenImage": "golden-image",
    "Test-OfflineWindowsImage": "test-image",
    "Resize-VHDImage": "shrink",
    "Add-VirtIODriversFromISO": "add-virtio-drivers",
    "Get-IniFileValue": "ini get",
    "Set-IniFileValue": "ini set",
    "Remove-IniFileValue": "ini remove",
}


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """A configuration with a password and a product key."""
    path = tmp_path / "config.ini"
    path.write_text(
        "[DEFAULT]\nproduct_key=AAAAA-BBBBB-CCCCC-DDDDD-EEEEE\nforce=true\n"
        "[vm]\nadministrator_password=Sesam öffne\ncpu_count=4\nram_size=4GB\n",
        encoding="utf-8-sig",
    )
    return path


def test_both_spellings() -> None:
    """Every command of the PowerShell tools has its name there and a plain one."""
    assert {
        command.cmdlet: " ".join(command.names) for command in COMMANDS if command.cmdlet
    } == SPELLINGS


@pytest.mark.parametrize("cmdlet", [name for name in SPELLINGS if "Windows" in name])
def test_one_action_for_both(cmdlet: str) -> None:
    """Both spellings, the PowerShell one in any case, lead to the same arguments."""
    implied = ["--force"] if cmdlet == "New-WindowsImageConfig" else []
    plain = build_parser().parse_args([*SPELLINGS[cmdlet].split(), "a b.ini", *implied])
    words = translate([cmdlet.upper(), "-configfile", "a b.ini"])
    assert build_parser().parse_args(words) == plain


def test_options_after_the_powershell_spelling() -> None:
    """Options of the plain spelling may follow the PowerShell one."""
    words = ["New-WindowsOnlineImage", "config.ini", "--set", "vm.cpu_count=4", "--dry-run"]
    arguments = build_parser().parse_args(translate(words))
    assert arguments.config == "config.ini"
    assert (arguments.overrides, arguments.dry_run) == (["vm.cpu_count=4"], True)


def test_help_shows_both_spellings(capsys: pytest.CaptureFixture[str]) -> None:
    """The help of a command has its PowerShell line; names are never broken at a hyphen."""
    for words in (["--help"], ["ini", "get", "--help"]):
        with pytest.raises(SystemExit):
            main.main(words)
    printed = capsys.readouterr().out
    assert "  New-WindowsFromGoldenImage  golden-image\n" in printed
    line = "Get-IniFileValue -Key KEY [-Section SECTION] -Path PATH [-Default DEFAULT] [-AsBoolean]"
    assert f"  {line}\n" in printed


def test_errors_of_the_system_name_the_file() -> None:
    """What nobody foresaw is still a sentence, about the file if there is one."""
    error = PermissionError(13, "Permission denied", "a/b")
    assert main._describe(error) == "a/b cannot be used: Permission denied."
    assert main._describe(OSError(27, "File too large")) == "File too large."
    assert main._describe(OSError("odd")) == "odd."


def test_advice_for_what_may_not_be_used() -> None:
    """Whoever lacks a right on a path is told so; all else is to be reported."""
    advice = "Let this user have it and enter the folders above it, or name another place."
    assert main._advice(PermissionError(13, "Permission denied", "a/b")) == advice
    assert main._advice(PermissionError(1, "Operation not permitted")).endswith("report both.")
    assert main._advice(OSError(27, "File too large", "a")).endswith("report both.")


def test_a_golden_image_has_no_dry_run(capsys: pytest.CaptureFixture[str]) -> None:
    """What would be done depends on what is in the golden image, so it is not offered."""
    with pytest.raises(SystemExit):
        build_parser().parse_args(["golden-image", "config.ini", "--dry-run"])
    assert "unrecognized arguments: --dry-run" in capsys.readouterr().err


def test_show_config_json(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has every option with its type, passwords as they are, in plain ASCII."""
    assert main.main(["show-config", str(config_file), "--json", "--set", "vm.cpu_count=8"]) == 0
    output = capsys.readouterr().out
    values = json.loads(output)
    assert list(values) == [option.name for option in OPTIONS]
    assert (values["force"], values["cpu_count"], values["ram_size"]) == (True, 8, 4096 * MIB)
    assert values["administrator_password"] == "Sesam öffne"
    assert values["product_key"] == "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"
    assert output.isascii()


def test_show_config_hides_the_secrets_in_urls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """User, password and token; and a password of one letter leaves the rest readable."""
    path = tmp_path / "config.ini"
    path.write_text(
        "[vm]\nadministrator_password=e\n"
        "[custom]\ninstall_qemu_ga=https://h/a.msi?token=abc-def\n"
        "[virtio_qemu_guest_agent]\nurl=https://joe:pw-pw@h/a.msi\n"
    )
    assert main.main(["show-config", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "administrator_password = ***" in lines
    assert "install_qemu_ga = https://h/a.msi?token=***" in lines
    assert "url = https://***@h/a.msi" in lines
    assert "image_type = HYPER-V" in lines
    assert "disable_secure_boot = False" in lines


def test_show_config_for_people(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines by section; passwords and keys are hidden, empty ones are shown empty."""
    assert main.main(["show-config", str(config_file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "[DEFAULT]"
    assert lines[lines.index("[vm]") + 1] == "administrator_password = ***"
    assert {"product_key = ***", "zip_password =", "cpu_count = 4", "force = True"} <= set(lines)
    assert [line for line in lines if line.startswith("[")] == list(
        dict.fromkeys(f"[{option.section}]" for option in OPTIONS)
    )


@pytest.mark.parametrize(
    ("words", "free"),
    [
        ([], 500 * MIB),
        (["--free-space", "0"], 0),
        (["--free-space", "2 MB"], 2 * MIB),
        (["--free-space=1048577"], 1048577),
    ],
)
def test_shrink(monkeypatch: pytest.MonkeyPatch, words: list[str], free: int) -> None:
    """The disk and the bytes to leave free reach the builder."""
    asked: list[tuple[object, int]] = []
    monkeypatch.setattr(build, "resize_vhd_image", lambda *a: asked.append(a))
    assert main.main(["shrink", "my disk.vhdx", *words]) == 0
    assert asked == [("my disk.vhdx", free)]


@pytest.mark.parametrize(("words", "size"), [([], 0), (["--size", "60GB"], 60 << 30)])
def test_extend(monkeypatch: pytest.MonkeyPatch, words: list[str], size: int) -> None:
    """The size in bytes, 0 for the one the disk has."""
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(build, "extend_image", lambda *words: asked.append(words))
    assert main.main(["extend", "my disk.qcow2", *words]) == 0
    assert asked == [("my disk.qcow2", size)]


def test_shrink_refuses_what_is_no_size(capsys: pytest.CaptureFixture[str]) -> None:
    """A size that cannot be read ends with exit code 2 and a sentence."""
    assert main.main(["shrink", "disk.vhdx", "--free-space", "much"]) == 2
    assert "error: 'much' is not a size." in capsys.readouterr().err


USUAL = {"thorough": False, "boot": False, "accel": "auto"}
"""What test-image does when nothing is said."""


@pytest.mark.parametrize(("state", "code"), [(State.WARNING, 0), (State.FAILED, 1)])
def test_test_image(
    state: State, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings reach the check; a line for each result, and a fault is exit code 1."""
    asked: list[tuple[object, object]] = []
    results = (Result("one", State.OK, "Good.", "Unused."), Result("three", state, "So.", "Do."))

    def check(*words: object, **options: object) -> CheckReport:
        asked.append((words, options))
        return CheckReport(Path("win.raw"), results)

    monkeypatch.setattr(image, "check_offline_image", check)
    words = ["test-image", "c.ini", "--strict", "--set", "force=True"]
    assert main.main(words) == code
    assert asked == [(("c.ini",), {"overrides": ["force=True"], "strict": True, **USUAL})]
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["ok       one    Good.", f"{state:<8} three  So. Do."]
    assert lines[2].startswith("win.raw: ")
    assert main.main([*words, "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], found["checks"][1]["hint"]) == (code == 0, "Do.")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ("10.0.20348.587", "AMD64", "Server"),
            ImageInfo(WindowsVersion(10, 0, 20348, 587), Architecture.AMD64, "Server"),
        ),
        (
            ("6.1.7601", "i386", "Client"),
            ImageInfo(WindowsVersion(6, 1, 7601), Architecture.X86, "Client"),
        ),
    ],
)
def test_image_info(words: tuple[str, str, str], expected: ImageInfo) -> None:
    """Version, architecture in the spellings of the PowerShell tools, installation type."""
    assert disk.image_info(*words) == expected


@pytest.mark.parametrize(
    ("version", "architecture", "message"),
    [
        ("ten", "amd64", "'ten' is not a Windows version such as 10.0.20348.587. wim-info"),
        ("10.0", "sparc", "'sparc' is not an architecture. Use one of x86, amd64, arm, arm64"),
    ],
)
def test_image_info_refuses(version: str, architecture: str, message: str) -> None:
    """A word that is not understood is named."""
    with pytest.raises(RequestError) as caught:
        disk.image_info(version, architecture, "Client")
    assert message in str(caught.value)


def test_attached_volumes_are_for_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere the refusal says what to do instead."""
    monkeypatch.setattr("winimagetools.host.sys.platform", "linux")
    with pytest.raises(HostError, match=r"on Windows only\. Set virtio_iso_path"):
        attached_volume("E:")


@pytest.mark.parametrize("drive", ["e", "E:", "E:\\", " e:/ "])
def test_volume(drive: str) -> None:
    """A drive letter in any form names the volume DISM works on."""
    disk = volume(drive)
    assert (disk.windows, disk.root) == ("E:", "E:\\")


@pytest.mark.parametrize("drive", ["", "EE:", "C:\\Windows", r"\\server\share", "1:"])
def test_volume_refuses(drive: str) -> None:
    """Anything else is refused."""
    with pytest.raises(RequestError, match="is not a drive letter"):
        volume(drive)


def test_both_hosts_are_listed() -> None:
    """Linux and Windows machines have a host."""
    assert set(HOSTS) == {"linux", "win32"}


def test_powershell_modules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the path of each module it wrote."""
    assert main.main(["powershell-modules", str(tmp_path)]) == 0
    printed = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert printed == sorted(path for path in tmp_path.rglob("*.psm1"))
    assert len(printed) == 3


def test_wim_info_says_what_it_leaves_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Images without Windows are named beside the table, never in what a program reads."""
    other = '<IMAGE INDEX="2"><NAME>Setup</NAME></IMAGE>'
    path = tmp_path / "install.wim"
    path.write_bytes(wim_bytes(image_xml(1, "Windows X"), other))
    assert main.main(["wim-info", "--json", str(path)]) == 0
    printed = capsys.readouterr()
    assert [image["name"] for image in json.loads(printed.out)] == ["Windows X"]
    assert 'Image 2 ("Setup") is left out because it holds no Windows' in printed.err
    path.write_bytes(wim_bytes(other))
    assert main.main(["wim-info", str(path)]) == 0
    assert capsys.readouterr().out == ""
