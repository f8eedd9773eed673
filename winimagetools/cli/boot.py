"""``boot``: starts an image with the machine it is made for, and forgets what it writes."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from winimagetools.cli.output import write
from winimagetools.host import select_host
from winimagetools.plan import VmRequest
from winimagetools.settings.declaration import parse_size
from winimagetools.workflows.start import MEMORY, PROCESSORS, plan_start, start_image


def boot_arguments(parser: argparse.ArgumentParser) -> None:
    """An image, and what it does not say itself."""
    parser.add_argument("image", metavar="IMAGE", help="a disk image of any container")
    parser.add_argument(
        "--screen",
        choices=("auto", "window", "vnc"),
        default="auto",
        help="a window, or VNC on this machine; auto is a window where there is a desktop",
    )
    parser.add_argument(
        "--accel",
        choices=("auto", "kvm", "tcg"),
        default="auto",
        help="KVM, or tcg for software, which takes ten to twenty times as long",
    )
    parser.add_argument("--memory", default="", metavar="SIZE", help="memory of the machine (4GB)")
    parser.add_argument(
        "--cpus", type=int, default=PROCESSORS, metavar="N", help="processors of the machine (2)"
    )
    parser.add_argument(
        "--network", default="", metavar="BRIDGE", help="a bridge of this machine, or none"
    )
    parser.add_argument("--no-secure-boot", action="store_true", help="start without Secure Boot")
    parser.add_argument("--no-tpm", action="store_true", help="start without a TPM")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the command of QEMU, and start nothing"
    )


def boot(arguments: argparse.Namespace) -> int:
    """The image is never written to: what the guest writes goes with the machine."""
    host = select_host()
    memory = parse_size(arguments.memory) if arguments.memory else MEMORY
    asked = VmRequest(
        *("", Path(), memory, arguments.cpus, arguments.network, 2),
        disable_secure_boot=arguments.no_secure_boot,
        accel=arguments.accel,
        screen=arguments.screen,
    )
    request = plan_start(arguments.image, asked, host)
    if arguments.no_tpm:
        request = replace(request, tpm=False)
    if arguments.dry_run:
        write("\n".join(host.vm.describe(request)))
    else:
        start_image(request, host)
    return 0
