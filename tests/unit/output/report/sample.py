"""A report with something in every field."""

from __future__ import annotations

from winimagetools.log import StepRecord
from winimagetools.output.report.facts import (
    Agent,
    ImageFacts,
    InputFile,
    Part,
    Report,
    SetOption,
    UsedDriver,
    WindowsFacts,
)

DIGEST = "ab" * 32
REPORT = Report(
    workflow="New-WindowsCloudImage",
    started="2026-11-26T10:00:00+00:00",
    finished="2026-11-26T10:05:00+00:00",
    tools=(("winimagetools", "0.1.0"),),
    image=ImageFacts(
        "win.qcow2",
        "QCOW2",
        123456789,
        DIGEST,
        40 << 30,
        "UEFI",
        (Part("EFI system partition", 1 << 20, 300 << 20), Part("Windows", 301 << 20, 39 << 30)),
    ),
    windows=WindowsFacts(
        "Windows Server 2022 <Standard> & more", "10.0.20348.587", "amd64", "Server", "S", "en-US"
    ),
    inputs=(InputFile("wim_file_path", "windows.iso", 5 << 30, "cd" * 32),),
    drivers=(UsedDriver("viostor", "100.95.104", "viostor/2k22/viostor.inf", "virtio.iso", True),),
    agents=(Agent("QEMU guest agent", ("guest-agent/qemu-ga.msi from virtio.iso",), "ef" * 32),),
    updates=("kb5031364.msu",),
    features=("TelnetClient",),
    capabilities=("OpenSSH.Server",),
    left_to_guest=("dism /Online",),
    options=(
        SetOption("DEFAULT", "image_type", "KVM", True),
        SetOption("vm", "cpu_count", 2, False),
    ),
    steps=(
        StepRecord("Take Windows from the medium", 0, 30.0),
        StepRecord("Extract", 1, 20.0),
        StepRecord("Write the disk", 0, 70.0),
    ),
    checks=("No input changed while it was read.",),
    warnings=("[DEFAULT] disk_size: it is small.",),
)
