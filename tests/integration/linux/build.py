"""Helpers for tests that build whole images."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from winimagetools.cli.main import main

MSI = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"stand-in installer"
SERVER = "Windows Server 2022 SERVERSTANDARD"
NOBODY = 65534


@dataclass
class Job:
    """A folder with a configuration, an installer and room for the image.

    Args:
        folder: everything is in it.
        wim: the installation medium.
        options: ``section.key`` → value, over the few that every job needs.
    """

    folder: Path
    wim: Path
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def image(self) -> Path:
        """Where the image goes."""
        return Path(str(self.values["DEFAULT.image_path"]))

    @property
    def values(self) -> dict[str, object]:
        """All options."""
        return {
            "DEFAULT.wim_file_path": self.wim,
            "DEFAULT.image_name": SERVER,
            "DEFAULT.image_path": self.folder / "win.raw",
            "DEFAULT.virtual_disk_format": "RAW",
            "DEFAULT.disk_layout": "UEFI",
            "vm.disk_size": "2GB",
            "cloudbase_init.msi_path": self.folder / "cloudbase-init.msi",
            **self.options,
        }

    def write(self) -> Path:
        """Write the configuration and the installer."""
        msi = self.folder / "cloudbase-init.msi"
        if not msi.exists():  # another build may be reading it
            msi.write_bytes(MSI)
        sections: dict[str, list[str]] = {}
        for name, value in self.values.items():
            section, _, key = name.partition(".")
            sections.setdefault(section, []).append(f"{key}={value}\n")
        path = self.folder / "config.ini"
        text = "".join(f"[{name}]\n{''.join(lines)}" for name, lines in sections.items())
        path.write_text(text, encoding="utf-8")
        return path

    def build(self, *more: str) -> int:
        """Build in this process; the exit code."""
        return main(["cloud-image", str(self.write()), *more])

    def left_over(self) -> list[str]:
        """What is in the folder beside configuration, installer and image with its report."""
        known = {"config.ini", "cloudbase-init.msi", self.image.name}
        if self.image.exists():
            known.add(f"{self.image.name}.report")
        return sorted(item.name for item in self.folder.iterdir() if item.name not in known)


def command(job: Job, *more: str) -> list[str]:
    """The command line that builds a job in a process of its own."""
    config = str(job.write())
    return [sys.executable, "-m", "winimagetools.builder", "New-WindowsCloudImage", config, *more]


def start(job: Job, *more: str) -> subprocess.Popen[str]:
    """Build in a process of its own, in a group of its own, that obeys signals.

    What a script starts in the background, or nohup, inherits that they are ignored.
    """

    def obey() -> None:
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

    return subprocess.Popen(
        command(job, *more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=obey,
    )


def as_ordinary_user(argv: Sequence[str], folder: Path) -> list[str]:
    """The command line run without any privilege, in a folder that is given away.

    As another user where that user can read this project; else as this one without a single
    capability, so that no mount, no loop device and no foreign file can be had.
    """
    if os.geteuid() != 0:
        return list(argv)
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    reads = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", *argv[:1], "-c"]
    probe = subprocess.run(
        [*reads, "import winimagetools.cli.main"], capture_output=True, check=False
    )
    if probe.returncode == 0:
        shutil.chown(folder, NOBODY)
        for item in folder.iterdir():
            shutil.chown(item, NOBODY)
        drop += [f"--reuid={NOBODY}", "--clear-groups"]
    return [*drop, *argv]
