"""Images made from golden ones, up to the point where a machine would start."""

from __future__ import annotations

import hashlib
import io
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from dissect.regf import RegistryHive
from dissect.target import Target

from fixtures import virtio
from fixtures.boot_proof import Firmware, boot
from fixtures.finished_disks import make_disk
from tests import needs
from tests.integration.linux.build import MSI, as_ordinary_user
from tests.integration.linux.test_resize import contents
from winimagetools.checks.ntfs.volume import check_volume
from winimagetools.checks.result import State
from winimagetools.cli.main import main
from winimagetools.files.copy import copy_file
from winimagetools.host.linux.existing_disk import open_existing, part_of
from winimagetools.host.linux.servicing import LinuxServicing
from winimagetools.image.delivery import parse_compression
from winimagetools.model import GIB, MIB, DiskFormat
from winimagetools.output.convert import QEMU_IMG, convert
from winimagetools.output.image_files import ImageFiles
from winimagetools.plan import RegistryEdit, RegistryValue
from winimagetools.run import Tool, run
from winimagetools.workflows.check import check_offline_image

NTFSFIX = Tool("ntfsfix", "ntfs-3g", "make a volume dirty")


@pytest.fixture(scope="module")
def gold(tmp_path_factory: pytest.TempPathFactory, install_wim: Path) -> Path:
    """A finished UEFI disk; not to be changed."""
    path = tmp_path_factory.mktemp("gold") / "gold.raw"
    return make_disk(path, "uefi", install_wim, windows_size=600 * MIB).path


def configure(folder: Path, gold: Path, image: str, **options: object) -> Path:
    """A configuration without the stage in a machine."""
    (folder / "cloudbase-init.msi").write_bytes(MSI)
    values = {
        "gold_image_path": gold,
        "image_path": folder / image,
        "image_name": "Windows Server 2022 SERVERSTANDARD",
        "image_type": "KVM",
        "disk_layout": "UEFI",
        "force": True,
        "virtual_disk_format": Path(image).suffix[1:].upper(),
        **options,
    }
    values["shrink_image_to_minimum_size"] = False
    text = "[DEFAULT]\n" + "".join(f"{key}={value}\n" for key, value in values.items())
    text += "[vm]\ndisk_size=2GB\n"
    text += "[sysprep]\nrun_sysprep=False\n"
    text += f"[cloudbase_init]\nmsi_path={folder / 'cloudbase-init.msi'}\n"
    path = folder / "config.ini"
    path.write_text(text)
    return path


def sha256(path: Path) -> str:
    """What the bytes of a file come to."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("container", list(DiskFormat))
def test_every_container_and_back(container: DiskFormat, gold: Path, tmp_path: Path) -> None:
    """Grown, with resources and wallpaper, bootable; the golden image is not touched."""
    source = tmp_path / f"source.{container.extension}"
    convert(gold, source, container, False)
    source.chmod(0o444)
    before = sha256(source)
    image, platform = "new.qcow2", "KVM"
    if container is DiskFormat.QCOW2:
        image, platform = "new.raw", "MAAS"
    config = configure(tmp_path, source, image, image_type=platform)
    assert main(["golden-image", str(config)]) == 0
    made = tmp_path / image
    assert sha256(source) == before
    assert {item.name for item in tmp_path.iterdir()} == {
        source.name,
        image,
        f"{image}.report",
        "config.ini",
        "cloudbase-init.msi",
    }
    with open_existing(made, read_only=True) as disk:
        facts = disk.facts()
        assert facts.size >= 2 * GIB and facts.volume.size > 1400 * MIB
        assert facts.volume.clean and facts.table_problems == ()
    target = Target.open(made)
    root = target.fs.path("c:/UnattendResources")
    assert (root / "CloudbaseInit.msi").read_bytes() == MSI
    assert (root / "Logon.ps1").exists()
    assert target.fs.path("c:/Windows/System32/ntdll.dll").exists()
    report = boot(made, Path(image).suffix[1:], "uefi")
    assert report.proved, report.console


def test_drivers_of_a_finished_windows_are_updated(gold: Path, tmp_path: Path) -> None:
    """A service that is there is changed and not doubled; an independent reader finds the rest."""
    source = tmp_path / "source.raw"
    copy_file(gold, source)
    services = r"ControlSet001\Services"
    old = (
        RegistryValue("Start", "REG_DWORD", 3),
        RegistryValue("Owners", "REG_MULTI_SZ", ("oem7.inf",)),
    )
    with open_existing(source, read_only=False) as disk:
        edit = RegistryEdit("SYSTEM", rf"{services}\VIOSTOR", old)
        LinuxServicing().edit_registry(disk, [edit])
    before = hive_of(source)
    iso = virtio.write_iso(tmp_path / "virtio-win.iso", "0.1.285")
    config = configure(tmp_path, source, "new.qcow2")
    config.write_text(config.read_text() + f"[drivers]\nvirtio_iso_path={iso}\n")
    assert main(["golden-image", str(config)]) == 0
    after = hive_of(tmp_path / "new.qcow2")
    names = [key.name for key in after.open(services).subkeys()]
    was = [key.name for key in before.open(services).subkeys()]
    assert set(names) - set(was) == {"vioscsi"} and len(names) == len(was) + 1
    service = after.open(rf"{services}\viostor")
    assert service.value("Start").value == 0
    assert service.value("ImagePath").value.casefold() == r"system32\drivers\viostor.sys"
    assert service.value("Owners").value == ["oem7.inf"]
    ids = after.open(r"DriverDatabase\DeviceIds\PCI")
    assert any(key.name.startswith("VEN_1AF4&DEV_1001") for key in ids.subkeys())
    found = {item.name: item.state for item in check_offline_image(tmp_path / "new.qcow2").results}
    assert found["storage driver"] is State.OK


@pytest.mark.parametrize("wrapping", ["gz", "tar.gz", "zip", "zip.gz"])
def test_a_wrapped_golden_image(wrapping: str, gold: Path, tmp_path: Path) -> None:
    """Unwrapped straight into the folder of the build, and as good as one that was not."""
    source, password = tmp_path / "source.raw", "Sesame open"
    copy_file(gold, source)
    formats = parse_compression(wrapping)
    packed = ImageFiles().compress(source, formats, password if "zip" in formats else "")
    before = sha256(packed)
    config = configure(tmp_path, packed, "new.raw", image_type="MAAS", zip_password=password)
    assert main(["golden-image", str(config)]) == 0
    assert sha256(packed) == before
    made = {"new.raw", "new.raw.report", "config.ini", "cloudbase-init.msi"}
    assert {item.name for item in tmp_path.iterdir()} == {packed.name, *made}
    is_whole(tmp_path / "new.raw")
    target = Target.open(tmp_path / "new.raw")
    assert target.fs.path("c:/UnattendResources/CloudbaseInit.msi").read_bytes() == MSI


@pytest.mark.parametrize("fault", ["password", "cut off", "two files", "not clean", "a qcow2"])
def test_a_wrapped_golden_image_of_no_use(
    fault: str, gold: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, no image, and nothing left; what is in it counts, not what it is called."""
    source = tmp_path / "source.raw"
    copy_file(gold, source)
    if fault == "not clean":
        change_volume(source, lambda volume: run(NTFSFIX, ["-b", volume]))
    elif fault == "a qcow2":
        convert(gold, tmp_path / "other", DiskFormat.QCOW2, False)
        (tmp_path / "other").replace(source)
    packed = ImageFiles().compress(source, ["zip" if fault == "password" else "tar"], "Sesame")
    if fault == "cut off":
        os.truncate(packed, packed.stat().st_size // 2)
    elif fault == "two files":
        run(Tool("tar", "tar", "add a file"), ["-rf", packed, "-C", tmp_path, "-P", "/etc/hosts"])
    before = sha256(packed)
    config = configure(tmp_path, packed, "new.qcow2", zip_password="Sesame shut")
    assert main(["golden-image", str(config)]) == 2
    said = capsys.readouterr().err
    expected = {
        "password": "the password is wrong or missing",
        "cut off": "is damaged",
        "two files": "holds 2 files",
        "not clean": "was not left clean",
        "a qcow2": "is called a raw disk, but begins as a QCOW2 does",
    }
    assert expected[fault] in said and "Traceback" not in said
    left = {"config.ini", "cloudbase-init.msi", packed.name}
    assert {item.name for item in tmp_path.iterdir()} == left
    assert sha256(packed) == before


def test_interrupted_while_it_is_unwrapped(gold: Path, tmp_path: Path) -> None:
    """Ctrl-C leaves the archive, and nothing of what was in it."""
    source = tmp_path / "source.raw"
    copy_file(gold, source)
    packed = ImageFiles().compress(source, ["gz"], "")
    before = sha256(packed)
    config = configure(tmp_path, packed, "new.raw", image_type="MAAS")
    process = subprocess.Popen(
        [sys.executable, "-m", "winimagetools", "golden-image", str(config)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    said = next(line for line in process.stderr if "Unwrap source.raw.gz" in line)
    os.killpg(process.pid, signal.SIGINT)
    rest = process.communicate()[1]
    assert process.returncode == 130, said + rest
    assert "nothing was left behind" in rest
    left = {"config.ini", "cloudbase-init.msi", packed.name}
    assert {item.name for item in tmp_path.iterdir()} == left
    assert sha256(packed) == before


@pytest.mark.parametrize("command", ["shrink", "extend", "convert"])
def test_a_wrapped_disk_is_not_changed(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused with the command that unwraps it."""
    packed = tmp_path / "disk.raw.tar.gz"
    packed.write_bytes(b"\x1f\x8b")
    config = configure(tmp_path, packed, "new.qcow2")
    assert main([command, str(packed), *([str(config)] if command == "convert" else [])]) == 2
    said = capsys.readouterr().err
    assert "is wrapped" in said and "tar -xf disk.raw.tar.gz" in said


@pytest.mark.parametrize("fault", ["too large", "not clean", "no Windows"])
def test_a_golden_image_is_refused_before_it_is_copied(
    fault: str, gold: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With everything else that is wrong, in one message that names the option."""
    source = tmp_path / "source.raw"
    copy_file(gold, source)
    size, expected = "2GB", ""
    if fault == "too large":
        size, expected = "300MB", "is more than disk_size"
    elif fault == "not clean":
        expected = "was not left clean"
        change_volume(source, lambda volume: run(NTFSFIX, ["-b", volume]))
    else:
        expected = "There is no Windows on"
        with open_existing(source, read_only=True) as disk:
            start = disk.windows.start
        with source.open("r+b") as file:
            file.seek(start + 3)
            file.write(b"ReFS\0\0\0\0")
    config = configure(tmp_path, source, "new.qcow2")
    argv = ["golden-image", str(config), "--set", f"vm.disk_size={size}"]
    assert main([*argv, "--set", "DEFAULT.image_type=nowhere"]) == 2
    said = capsys.readouterr().err
    assert expected in said and "nowhere" in said and "Step" not in said
    assert main(["doctor", str(config), "--for", "golden", "--set", f"vm.disk_size={size}"]) == 2
    assert expected in "".join(capsys.readouterr())
    assert not (tmp_path / "new.qcow2").exists()


def change_volume(path: Path, change: Callable[[Path], object]) -> None:
    """Let a program change the Windows volume of a disk."""
    with open_existing(path, read_only=True) as disk:
        start, size = disk.windows.start, disk.windows.size
    volume = path.with_suffix(".ntfs")
    with path.open("r+b") as file:
        file.seek(start)
        volume.write_bytes(file.read(size))
        change(volume)
        file.seek(start)
        file.write(volume.read_bytes())
    volume.unlink()


def hive_of(image: Path) -> RegistryHive:
    """SYSTEM of an image, for a reader that is not ours."""
    path = Target.open(image).fs.path("sysvol/windows/system32/config/SYSTEM")
    return RegistryHive(io.BytesIO(path.read_bytes()))


@pytest.mark.parametrize("layout", ["recovery-front", "recovery-behind", "bios-system", "data"])
def test_every_layout(layout: str, install_wim: Path, tmp_path: Path) -> None:
    """Every file and partition of the golden disk is in the new one, as another reader sees it."""
    made = make_disk(tmp_path / "source.raw", layout, install_wim)
    before = sha256(made.path)
    disk_layout = str(made.plan.layout)
    config = configure(tmp_path, made.path, "new.qcow2", disk_layout=disk_layout)
    assert main(["golden-image", str(config)]) == 0
    assert sha256(made.path) == before
    new, old = contents(tmp_path / "new.qcow2"), contents(made.path)
    added = {name for name in new if name not in old}
    assert {name.split("/")[2] for name in added} >= {"unattendresources"}
    changed = {name for name, digest in old.items() if new[name] != digest}
    assert changed <= {f"/sysvol/windows/system32/config/{hive}" for hive in ("system", "software")}
    for path, size in ((made.path, made.plan.size), (tmp_path / "new.qcow2", 2 * GIB)):
        with open_existing(path, read_only=True) as disk:
            volume = part_of(disk.image.read, disk.windows)
            assert check_volume(volume, disk.windows.size) == ()
            assert disk.facts().size == size and disk.facts().table_problems == ()
    with (
        open_existing(made.path, read_only=True) as was,
        open_existing(tmp_path / "new.qcow2", read_only=True) as now,
    ):
        pairs = zip(was.facts().partitions, now.facts().partitions, strict=True)
        for first, second in pairs:
            assert (first.guid, first.type, first.role) == (second.guid, second.type, second.role)
            if first.role == "Windows":
                assert second.size > 1500 * MIB
            elif first.role != "system":  # whose boot store is told to start at once
                kept = was.image.read(first.start, first.size)
                assert now.image.read(second.start, second.size) == kept or first.role == "EFI"
    firmware: Firmware = "bios" if disk_layout == "BIOS" else "uefi"
    assert boot(tmp_path / "new.qcow2", "qcow2", firmware).proved


def test_a_golden_image_of_4096_byte_sectors(install_wim: Path, tmp_path: Path) -> None:
    """Refused with advice, before anything is made."""
    made = make_disk(tmp_path / "source.raw", "uefi", install_wim, sector=4096)
    config = configure(tmp_path, made.path, "new.qcow2")
    assert main(["golden-image", str(config)]) == 2
    assert not list(tmp_path.glob("new.*"))


@pytest.mark.parametrize("release", ["hives/SYSTEM.win10-x64.xz"])
def test_a_genuine_hive(release: str, gold: Path, tmp_path: Path) -> None:
    """Drivers go into DriverDatabase as setup left it; a second, newer round updates them."""
    hive = needs.genuine(release)
    source = tmp_path / "source.raw"
    copy_file(gold, source)
    with open_existing(source, read_only=False) as disk:
        disk.tree.write_bytes(r"Windows\System32\config\SYSTEM", hive)
    made = [source]
    for number, virtio_release in enumerate(("0.1.215", "0.1.285")):
        iso = virtio.write_iso(tmp_path / f"{virtio_release}.iso", virtio_release)
        config = configure(tmp_path, made[-1], f"new{number}.qcow2")
        config.write_text(config.read_text() + f"[drivers]\nvirtio_iso_path={iso}\n")
        assert main(["golden-image", str(config)]) == 0
        made.append(tmp_path / f"new{number}.qcow2")
    before, first, second = (keys_of(hive_of(path)) for path in made)
    services = "controlset001\\services\\"
    ours = (f"{services}viostor", f"{services}vioscsi")
    # The storage drivers and what describes them, in places that were there; nothing is gone.
    assert before <= first == second
    assert {key for key in first - before if key.startswith(services)} <= {
        key for key in first if key.startswith(ours)
    }
    packages = [key for key in first if key.count("\\") == 2 and r"database\driverpackages" in key]
    assert len(packages) == len(set(packages)) and any("viostor" in key for key in packages)
    found = {item.name: item.state for item in check_offline_image(made[-1]).results}
    assert found["storage driver"] is State.OK
    old, new = hive_of(source), hive_of(made[-1])
    for key in (r"ControlSet001\Services\disk", r"ControlSet001\Control\Class", "Select"):
        values = [
            sorted((value.name, str(value.value)) for value in each.open(key).values())
            for each in (old, new)
        ]
        assert values[0] == values[1], key


def keys_of(hive: RegistryHive) -> set[str]:
    """Every key, in lower case."""
    found, waiting = set(), [("", hive.root())]
    while waiting:
        path, key = waiting.pop()
        for below in key.subkeys():
            name = f"{path}\\{below.name}".lstrip("\\").lower()
            assert name not in found
            found.add(name)
            waiting.append((name, below))
    return found


@pytest.mark.parametrize("command", ["golden-image", "shrink", "extend"])
def test_as_an_ordinary_user(command: str, gold: Path) -> None:
    """Without any privilege, from a source that may only be read where it is only read."""
    # Not below pytest's own folder, which only its owner may enter.
    with tempfile.TemporaryDirectory(prefix="ordinary-user-") as name:
        folder = Path(name)
        source = folder / "source.qcow2"
        convert(gold, source, DiskFormat.QCOW2, False)
        config = configure(folder, source, "new.vhdx", image_type="HYPER-V")
        argv = [sys.executable, "-m", "winimagetools", command, str(source)]
        if command == "golden-image":
            source.chmod(0o444)
            argv[-1] = str(config)
        elif command == "extend":
            argv += ["--size", "1GB"]
        argv = as_ordinary_user(argv, folder)
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert not list(folder.glob(".*"))
        is_whole(folder / "new.vhdx" if command == "golden-image" else source)


def is_whole(path: Path) -> None:
    """Table, volume and everything in its metadata are sound."""
    with open_existing(path, read_only=True) as disk:
        assert disk.facts().table_problems == () and disk.facts().volume.clean
        assert check_volume(part_of(disk.image.read, disk.windows), disk.windows.size) == ()


@pytest.mark.parametrize("command", ["golden-image", "shrink", "extend"])
def test_killed_at_any_moment(command: str, gold: Path, tmp_path: Path) -> None:
    """The source stays, and what a killed run left is gone after the next one."""
    source = tmp_path / "source.qcow2"
    convert(gold, source, DiskFormat.QCOW2, False)
    before = sha256(source)
    config = configure(tmp_path, source, "new.qcow2")
    argument = str(config if command == "golden-image" else source)
    argv = [sys.executable, "-m", "winimagetools", command, argument]
    argv += ["--size", "1GB"] if command == "extend" else []
    chance = random.Random(3)
    for _ in range(int(os.environ.get("WINIMAGETOOLS_KILLS", "4"))):
        process = subprocess.Popen(
            argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(chance.uniform(0.3, 2.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if command != "golden-image" and sha256(source) != before:  # complete before the signal
            run(QEMU_IMG, ["check", source])
            before = sha256(source)
        assert sha256(source) == before
        is_whole(source)
    assert subprocess.run(argv, capture_output=True, check=False).returncode == 0
    assert not [item for item in tmp_path.iterdir() if item.name.startswith(".")]
    is_whole(source)
