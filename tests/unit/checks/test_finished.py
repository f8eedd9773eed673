"""What every check of a finished image finds, good and bad."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from fixtures import regf
from fixtures.pe import image as pe_image
from tests.unit.checks import subjects
from tests.unit.checks.subjects import BIOS_PLAN, UEFI_PLAN, facts, files, request, subject
from winimagetools.checks import boot, container, contents, disk, drivers, windows
from winimagetools.checks.container import expected_format
from winimagetools.checks.drivers import VIRTIO_DRIVERS, enough_drivers
from winimagetools.checks.finished import check_image
from winimagetools.checks.result import Result, State
from winimagetools.formats.partitions import ENLARGED
from winimagetools.found import DiskFacts
from winimagetools.image.request import AgentOptions, DriverPaths
from winimagetools.model import MIB, Architecture, DiskFormat, DiskLayout, ImageType
from winimagetools.plan import InstalledDriver

ISO, FOLDER = Path("virtio-win.iso"), Path("drivers")
OK, WARNING, FAILED, SKIPPED = State.OK, State.WARNING, State.FAILED, State.SKIPPED


def state(result: Result | None) -> State | None:
    """How a check ended; whoever fails or warns says what to do."""
    if result is None:
        return None
    assert result.text.endswith(".") and not result.hint.rstrip(".") == result.hint != ""
    assert result.state is not FAILED or result.hint
    return result.state


def test_a_finished_image_has_no_fault() -> None:
    """Every check on a good one: no fault, and the one warning that it has no virtio driver."""
    results = check_image(subject(asked=request()))
    assert {result.name: result.state for result in results if result.state is not OK} == {
        "NTFS": SKIPPED,  # there is no disk, only a description of one
        "storage driver": WARNING,
    }
    assert len(results) == 16


@pytest.mark.parametrize(
    ("image_type", "name", "expected"),
    [
        (ImageType.MAAS, "image.raw", DiskFormat.RAW),
        (ImageType.MAAS, "image.vhd", DiskFormat.RAW),
        (ImageType.KVM, "image.qcow2", DiskFormat.QCOW2),
        (ImageType.VMWARE, "image.vmdk", DiskFormat.VMDK),
        (ImageType.HYPER_V, "image.vhdx", DiskFormat.VHDX),
        (ImageType.HYPER_V, "image.VHD", DiskFormat.VHD),
        (ImageType.HYPER_V, "image", DiskFormat.VHDX),
    ],
)
def test_expected_format(image_type: ImageType, name: str, expected: DiskFormat) -> None:
    """The platform decides; Hyper-V also takes the older container when the name says so."""
    assert expected_format(image_type, Path(name)) is expected


@pytest.mark.parametrize(
    ("name", "found", "asked", "expected"),
    [
        ("a.qcow2", DiskFormat.QCOW2, True, OK),
        ("a.qcow2", DiskFormat.RAW, True, FAILED),
        ("a.img", DiskFormat.QCOW2, True, FAILED),
        ("a.raw", DiskFormat.QCOW2, False, WARNING),
        ("a.img", DiskFormat.RAW, False, OK),
        ("a", DiskFormat.VMDK, False, OK),
    ],
)
def test_container(name: str, found: DiskFormat, asked: bool, expected: State) -> None:
    """By content; the name has to agree."""
    made = subject(name=name, container=found, asked=request() if asked else None)
    assert state(container.check_container(made)) is expected


def volume(**changes: Any) -> DiskFacts:
    """A disk whose Windows volume is different."""
    return facts(volume=replace(facts().volume, **changes))


@pytest.mark.parametrize(
    ("check", "found", "expected", "says"),
    [
        (disk.check_table, facts(table_problems=("It is bad.",)), FAILED, "It is bad."),
        (disk.check_table, facts(table_problems=(ENLARGED,)), WARNING, "was enlarged"),
        (disk.check_volume, volume(clean=False), FAILED, "was not left clean"),
        (disk.check_volume, volume(hibernated=True), FAILED, "hibernated"),
        (disk.check_volume, volume(partition_size=MIB), FAILED, "its partition only 1.0 MiB"),
        (disk.check_volume, volume(hidden=1), OK, "clean"),
        (disk.check_free_space, volume(free=500 * MIB), WARNING, "500.0 MiB of 19.0 GiB"),
        (disk.check_free_space, volume(free=100 * MIB), FAILED, "100.0 MiB"),
        (boot.check_boot_files, facts(boot_problem="No EFI."), FAILED, "No EFI."),
        (boot.check_boot_store, facts(boot_problem="No EFI."), SKIPPED, "cannot be looked at"),
        (boot.check_boot_files, facts(boot_files=()), FAILED, "bootx64.efi is missing"),
        (
            boot.check_boot_files,
            facts(boot_files=("efi/boot/BOOTX64.EFI",)),
            WARNING,
            "bootmgfw.efi is missing",
        ),
        (boot.check_boot_files, facts(DiskLayout.BIOS), OK, "bootmgr is on"),
        (boot.check_boot_files, facts(DiskLayout.BIOS, boot_files=()), FAILED, "bootmgr is mis"),
        (boot.check_boot_store, facts(), OK, 'starts "Windows Server" of this disk'),
        (boot.check_boot_store, facts(DiskLayout.BIOS), OK, "of this disk"),
        (boot.check_boot_store, facts(boot_store=None), FAILED, "There is no boot config"),
        (boot.check_boot_store, facts(boot_store=b"x" * 5000), FAILED, "is damaged"),
        (boot.check_boot_store, facts(boot_store=subjects.hive_of([])), FAILED, "no default entry"),
        (boot.check_boot_store, facts(identifier=str(UUID(int=9))), FAILED, "another partition"),
    ],
)
def test_the_disk(
    check: Callable[..., Result], found: DiskFacts, expected: State, says: str
) -> None:
    """One thing is different at a time."""
    result = check(subject(disk_facts=found))
    assert state(result) is expected
    assert says in result.text


def test_large_sectors() -> None:
    """A disk with logical sectors of 4096 bytes is told from the usual ones."""
    result = disk.check_layout(subject(disk_facts=facts(sector=4096)))
    assert state(result) is WARNING and "4096 bytes" in result.text


def test_a_host_that_cannot_tell() -> None:
    """What is only known of the disk is left out, and that is said."""
    made = subject()
    made.facts = None
    checks = (disk.check_layout, disk.check_table, disk.check_volume, disk.check_growth)
    assert {check(made).state for check in (*checks, boot.check_boot_store)} == {SKIPPED}


def test_the_layout_that_was_asked_for() -> None:
    """Compared only where there is a configuration."""
    bios = facts(DiskLayout.BIOS)
    assert state(disk.check_layout(subject(disk_facts=bios))) is OK
    assert state(disk.check_layout(subject(disk_facts=bios, asked=request()))) is FAILED


def test_a_partition_behind_windows() -> None:
    """It keeps Windows from growing."""
    last = replace(
        facts().partitions[-1], number=3, start=19 * 1024 * MIB + 400 * MIB, role="recovery"
    )
    behind = facts(partitions=(*facts().partitions, last))
    result = disk.check_growth(subject(disk_facts=behind))
    assert (state(result), "partition 3 (recovery)" in result.text) == (WARNING, True)


def test_a_volume_that_bios_cannot_find() -> None:
    """The boot sector says where it is; that must be true on a BIOS disk."""
    bios = facts(DiskLayout.BIOS)
    moved = replace(bios, volume=replace(bios.volume, hidden=63))
    assert state(disk.check_volume(subject(disk_facts=bios))) is OK
    assert "begins at sector 63" in disk.check_volume(subject(disk_facts=moved)).text


@pytest.mark.parametrize("other", ["disk", "Windows", "EFI"])
def test_a_store_of_another_disk(other: str) -> None:
    """Any identifier that differs is found."""
    plan = UEFI_PLAN
    if other == "disk":
        plan = replace(plan, disk_guid=UUID(int=99))
    else:
        parts = (
            replace(part, guid=UUID(int=99)) if part.name == other else part
            for part in plan.partitions
        )
        plan = replace(plan, partitions=tuple(parts))
    found = facts(boot_store=subjects.store(DiskLayout.UEFI, plan))
    result = boot.check_boot_store(subject(disk_facts=found))
    what = {"disk": "the loader", "Windows": "the Windows", "EFI": "the boot manager"}[other]
    assert state(result) is FAILED and f"looks for {what} on another" in result.text


def test_a_bios_store_that_names_a_signature() -> None:
    """As Windows Setup leaves it: fine for this disk, not for one with another signature."""
    entries = subjects.store(DiskLayout.BIOS, BIOS_PLAN)
    other = facts(DiskLayout.BIOS, boot_store=entries, identifier="00000001")
    assert state(boot.check_boot_store(subject(disk_facts=other))) is OK  # it searches


def test_a_loader_that_is_missing() -> None:
    """The path of the store leads nowhere."""
    content = files()
    del content[r"Windows\System32\winload.efi"]
    assert r"winload.efi is not there" in boot.check_boot_store(subject(content)).text


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("Windows Server 2022 SERVERSTANDARD", OK),
        ("windows server 2022 ServerStandard", OK),
        ("", OK),
        ("My own name", OK),
        ("Windows Server 2019 SERVERSTANDARD", FAILED),
        ("Windows Server 2022 SERVERDATACENTER", FAILED),
        ("Windows Server 2022 SERVERSTANDARDCORE", FAILED),
        ("Windows 10 Pro", FAILED),
    ],
)
def test_edition(asked: str, expected: State) -> None:
    """Release and edition by the registry, against image_name."""
    result = windows.check_edition(subject(asked=request(edition=asked)))
    assert state(result) is expected
    assert "Windows Server 2022 ServerStandard 10.0.20348.587 for amd64" in result.text


def test_a_windows_that_cannot_be_read() -> None:
    """No hive, or no ntdll.dll."""
    assert state(windows.check_edition(subject({CLOUDBASE: b""}))) is FAILED


CLOUDBASE = subjects.CLOUDBASE


def software(state_text: str) -> dict[str, bytes]:
    """The files with another ImageState."""
    root = regf.Key("ROOT")
    key = root.make(r"Microsoft\Windows\CurrentVersion\Setup\State")
    key.values["ImageState"] = regf.sz(state_text)
    return files(Windows__System32__config__SOFTWARE=regf.dump(root, file_name="SOFTWARE"))


@pytest.mark.parametrize(
    ("image_state", "expected"),
    [
        ("IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE", OK),
        ("IMAGE_STATE_COMPLETE", FAILED),
        ("IMAGE_STATE_UNDEPLOYABLE", FAILED),
        ("", FAILED),
    ],
)
def test_sysprep(image_state: str, expected: State) -> None:
    """Only a generalized Windows may be copied."""
    assert state(windows.check_state(subject(software(image_state)))) is expected


@pytest.mark.parametrize(
    "folder", ["Program Files", "program files (X86)"], ids=["64-bit", "32-bit"]
)
def test_cloudbase_init(folder: str) -> None:
    """In either folder for programs."""
    content = {f"{folder}/Cloudbase Solutions/Cloudbase-Init/conf/cloudbase-init.conf": b""}
    assert state(contents.check_cloudbase_init(subject(content))) is OK


def test_cloudbase_init_is_missing() -> None:
    """A fault where a configuration speaks of a cloud image; else one should know."""
    content = {r"Program Files\Cloudbase Solutions\Other\file": b""}
    assert state(contents.check_cloudbase_init(subject(content, asked=request()))) is FAILED
    assert state(contents.check_cloudbase_init(subject(content))) is WARNING


def test_the_maas_hooks_are_looked_for_when_they_were_asked_for() -> None:
    """Their folder is at the root of the volume."""
    asked = request(install_maas_hooks=True)
    assert state(contents.check_hooks(subject({"curtin/finalize": b""}, asked=asked))) is OK
    assert state(contents.check_hooks(subject(asked=asked))) is FAILED
    assert contents.check_hooks(subject(asked=request())) is None


def test_the_guest_agent() -> None:
    """Missing is a fault only when it was asked for."""
    asked = request(agent=AgentOptions("True"))
    there = files(**{"Program Files__Qemu-ga__qemu-ga.exe": b""})
    assert state(contents.check_agent(subject(there, asked=asked))) is OK
    assert state(contents.check_agent(subject(asked=asked))) is FAILED
    assert contents.check_agent(subject(asked=request())) is None


def test_an_image_that_was_not_started_yet() -> None:
    """Without a configuration that is no fault; whoever has one wanted a finished image."""
    content = {
        **files(UnattendResources__CloudbaseInit_msi=b"", Unattend_xml=b"x"),
        r"UnattendResources\CloudbaseInit.msi": b"",
    }
    del content[CLOUDBASE]
    waiting = subject(content)
    assert waiting.waits_for_first_start
    assert state(contents.check_leftovers(waiting)) is WARNING
    assert state(contents.check_cloudbase_init(waiting)) is WARNING
    assert state(contents.check_passwords(waiting)) is SKIPPED
    assert state(windows.check_state(waiting)) is OK
    asked = subject(content, asked=request())
    assert state(contents.check_leftovers(asked)) is FAILED
    assert state(contents.check_cloudbase_init(asked)) is FAILED


def test_what_a_failed_first_start_leaves() -> None:
    """Its report is named; a folder that is left is a fault once the image was started."""
    left = files(UnattendResources__Logon=b"")
    assert state(contents.check_leftovers(subject(left))) is FAILED
    failed = {**files(), r"UnattendResources\image-generation-failed.txt": b"why"}
    assert "image-generation-failed.txt says why" in contents.check_leftovers(subject(failed)).text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<AdministratorPassword><Value>Secret</Value></AdministratorPassword>", FAILED),
        (b"<wcm:Password>Secret</wcm:Password>", FAILED),
        ("<Password><Value>Sécret</Value></Password>".encode("utf-16"), FAILED),
        (b"<Password>\n  <Value>*SENSITIVE*DATA*DELETED*</Value>\n</Password>", OK),
        (b"<Password><Value></Value></Password>", OK),
        (b"<Password><Value /></Password>", OK),
        (b"<ComputerName>Password</ComputerName>", OK),
    ],
)
def test_passwords_in_answer_files(data: bytes, expected: State) -> None:
    """Found in the copy that sysprep leaves; never shown."""
    content = {**files(), r"Windows\Panther\unattend.xml": data}
    result = contents.check_passwords(subject(content))
    assert state(result) is expected
    assert "cret" not in result.text


def installed(virtio: int, others: int = 0) -> tuple[InstalledDriver, ...]:
    """Third-party drivers, some of them virtio drivers."""
    names = ["Red Hat, Inc.", "QEMU"] * virtio
    providers = [*names[:virtio], *["Example Storage"] * others]
    return tuple(InstalledDriver(f"oem{number}.inf", name) for number, name in enumerate(providers))


@pytest.mark.parametrize(
    ("virtio", "others", "asked_for_virtio", "enough"),
    [
        (VIRTIO_DRIVERS, 0, True, True),
        (VIRTIO_DRIVERS - 1, 0, True, True),
        (VIRTIO_DRIVERS - 2, 0, True, False),
        (VIRTIO_DRIVERS - 2, 20, True, False),
        (VIRTIO_DRIVERS - 1, 20, True, True),
        (0, 0, True, False),
        (0, 1, False, True),
        (1, 0, False, True),
        (0, 0, False, False),
    ],
)
def test_number_of_drivers(virtio: int, others: int, asked_for_virtio: bool, enough: bool) -> None:
    """One of the eleven virtio drivers may be missing; of other drivers one is enough."""
    result = enough_drivers(installed(virtio, others), virtio=asked_for_virtio)
    assert state(result) is (OK if enough else FAILED)


@pytest.mark.parametrize(
    "asked", [{"virtio_iso": ISO}, {"virtio_folder": FOLDER}, {"folder": FOLDER}]
)
def test_drivers_are_counted_where_they_were_asked_for(asked: dict[str, Path]) -> None:
    """From an ISO or a folder alike."""
    wanted = request(drivers=DriverPaths(**asked))
    assert state(drivers.check_number(subject(asked=wanted, drivers=installed(10, 1)))) is OK
    assert state(drivers.check_number(subject(asked=wanted))) is FAILED
    assert drivers.check_number(subject(asked=request())) is None
    staged = {r"Windows\Drivers\winimagetools\install.cmd": b""}
    assert "not started yet" in str(drivers.check_number(subject(staged, asked=wanted)))


def with_storage(
    start: int = 0, *, registered: bool = True, binary: bytes = subjects.VIOSTOR
) -> dict[str, bytes]:
    """The files of a finished image with viostor."""
    return {**files(), **subjects.storage(start, registered=registered, binary=binary)}


@pytest.mark.parametrize(
    ("content", "expected", "says"),
    [
        (with_storage(), OK, "Windows starts with viostor."),
        (with_storage(3), FAILED, "is not loaded at boot (its Start is 3)"),
        (with_storage(registered=False), FAILED, "is not registered for any virtio device"),
        (with_storage(binary=b""), FAILED, r"\Windows\System32\drivers\viostor.sys is missing"),
        (with_storage(binary=b"MZ"), FAILED, "no PE header"),
        (
            with_storage(binary=pe_image(Architecture.X86, subjects.RELEASE.version, "v.sys")),
            FAILED,
            "is a driver for x86",
        ),
        (
            with_storage(binary=pe_image(Architecture.AMD64, subjects.RELEASE.version, "v.sys")),
            FAILED,
            "is not signed",
        ),
    ],
)
def test_storage_driver(content: dict[str, bytes], expected: State, says: str) -> None:
    """At boot, registered, there, for this processor, and signed."""
    result = drivers.check_storage(subject(content))
    assert result is not None and state(result) is expected
    assert says in result.text
