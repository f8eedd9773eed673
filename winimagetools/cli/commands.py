"""The table of commands: both spellings, and where their arguments and actions are.

Functions are named here, not imported: a command line imports what its own command needs, when
it needs it. What makes an image takes a quarter of a second to import, which nobody who asks
for help or sets a key of an ini file should wait for.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

Action = Callable[[argparse.Namespace], int]
"""Does what a command is for; returns the exit code."""


@dataclass(frozen=True)
class Parameter:
    """One PowerShell parameter and the argument it stands for.

    Args:
        name: PowerShell name without the dash.
        argument: ``name`` of a positional argument, or ``--option``.
        switch: takes no value.
    """

    name: str
    argument: str
    switch: bool = False


@dataclass(frozen=True)
class Command:
    """One command in both spellings.

    Args:
        names: words of the command, such as ``("ini", "get")``.
        cmdlet: the PowerShell function; empty for a command of this project only.
        parameters: of the PowerShell function, positional ones in order.
        help: one line.
        declaration: ``module.function`` of this package that declares the arguments.
        action: ``module.function`` of this package that does it.
        implied: options the PowerShell function stands for, so that scripts find what they are
            used to.
    """

    names: tuple[str, ...]
    cmdlet: str
    parameters: tuple[Parameter, ...]
    help: str
    declaration: str
    action: str
    implied: tuple[str, ...] = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""
        _find(self.declaration)(parser)

    def find_action(self) -> Action:
        """What does it; importing that is most of what takes time before it begins."""
        action: Action = _find(self.action)
        return action


def _find(name: str) -> Any:
    module, _, function = name.partition(".")
    return getattr(import_module(f"{__package__}.{module}"), function)


_CONFIG = (Parameter("ConfigFilePath", "config"),)
_INI = (
    Parameter("Key", "key"),
    Parameter("Section", "--section"),
    Parameter("Path", "path"),
)

COMMANDS: tuple[Command, ...] = (
    Command(
        ("new-config",),
        "New-WindowsImageConfig",
        _CONFIG,
        "write a configuration file with every option, its default and what it is for",
        "arguments.new_config_arguments",
        "configuration.new_config",
        ("--force",),
    ),
    Command(
        ("show-config",),
        "Get-WindowsImageConfig",
        _CONFIG,
        "show every option with the value a build would use",
        "arguments.show_config_arguments",
        "configuration.show_config",
    ),
    Command(
        ("wim-info",),
        "Get-WimFileImagesInfo",
        (Parameter("WimFilePath", "wim"),),
        "list the editions of an installation medium",
        "arguments.wim_arguments",
        "configuration.wim_info",
    ),
    Command(
        ("cloud-image",),
        "New-WindowsCloudImage",
        _CONFIG,
        "make an image that finishes itself when it first starts",
        "arguments.workflow_arguments",
        "build.cloud_image",
    ),
    Command(
        ("online-image",),
        "New-WindowsOnlineImage",
        _CONFIG,
        "make an image and finish it in a virtual machine",
        "arguments.online_arguments",
        "build.online_image",
    ),
    Command(
        ("resume",),
        "",
        (),
        "start the virtual machine of an image that failed again",
        "arguments.resume_arguments",
        "build.resume",
    ),
    Command(
        ("golden-image",),
        "New-WindowsFromGoldenImage",
        _CONFIG,
        "make an image from a copy of a golden one",
        "arguments.golden_arguments",
        "build.golden_image",
    ),
    Command(
        ("test-image",),
        "Test-OfflineWindowsImage",
        _CONFIG,
        "check a finished image without starting it",
        "arguments.check_arguments",
        "image.check_image",
    ),
    Command(
        ("inspect",),
        "",
        (),
        "say what is in a finished image",
        "arguments.image_arguments",
        "image.inspect",
    ),
    Command(
        ("ls",),
        "",
        (),
        "list a folder of a finished image",
        "arguments.list_arguments",
        "image.list_folder",
    ),
    Command(
        ("copy-out",),
        "",
        (),
        "copy files out of a finished image",
        "arguments.copy_out_arguments",
        "image.copy_out",
    ),
    Command(
        ("boot",),
        "",
        (),
        "start an image in a virtual machine that forgets what is written",
        "boot.boot_arguments",
        "boot.boot",
    ),
    Command(
        ("publish",),
        "",
        (),
        "print the commands that take an image to a cloud or hypervisor",
        "publish.publish_arguments",
        "publish.publish",
    ),
    Command(
        ("verify",),
        "",
        (),
        "compare an image and its report with what was made",
        "arguments.verify_arguments",
        "verify.verify",
    ),
    Command(
        ("convert",),
        "",
        (),
        "make an image of a finished disk, in the container a configuration names",
        "arguments.convert_arguments",
        "build.convert",
    ),
    Command(
        ("shrink",),
        "Resize-VHDImage",
        (Parameter("VirtualDiskPath", "disk"), Parameter("FreeSpace", "--free-space")),
        "make a virtual disk and its largest volume as small as they can be",
        "arguments.shrink_arguments",
        "disk.shrink",
    ),
    Command(
        ("extend",),
        "",
        (),
        "let Windows fill the disk of an image that was enlarged",
        "arguments.extend_arguments",
        "disk.extend",
    ),
    Command(
        ("add-virtio-drivers",),
        "Add-VirtIODriversFromISO",
        (Parameter("VhdDriveLetter", "drive"), Parameter("IsoPath", "iso")),
        "add virtio drivers to Windows on an attached volume (on Windows only)",
        "arguments.virtio_arguments",
        "disk.add_virtio_drivers",
    ),
    Command(
        ("ini", "get"),
        "Get-IniFileValue",
        (*_INI, Parameter("Default", "--default"), Parameter("AsBoolean", "--as-boolean", True)),
        "print a value of an ini file",
        "arguments.ini_get_arguments",
        "ini.ini_get",
        ("--default=",),
    ),
    Command(
        ("ini", "set"),
        "Set-IniFileValue",
        (*_INI, Parameter("Value", "value")),
        "set a value in an ini file",
        "arguments.ini_set_arguments",
        "ini.ini_set",
    ),
    Command(
        ("ini", "remove"),
        "Remove-IniFileValue",
        _INI,
        "remove a value from an ini file",
        "arguments.ini_remove_arguments",
        "ini.ini_remove",
    ),
    Command(
        ("matrix",),
        "",
        (),
        "make many images from one file, and only those that are missing",
        "arguments.matrix_arguments",
        "many.matrix",
    ),
    Command(
        ("matrix-stage",),
        "",
        (),
        "make one stage of a matrix, as its engine does",
        "arguments.stage_arguments",
        "matrix.stage",
    ),
    Command(
        ("cache", "ls"),
        "",
        (),
        "list the stages a matrix can reuse",
        "arguments.cache_arguments",
        "matrix.list_cache",
    ),
    Command(
        ("cache", "prune"),
        "",
        (),
        "remove stages beyond a size or an age",
        "arguments.prune_arguments",
        "matrix.prune_cache",
    ),
    Command(
        ("cache", "verify"),
        "",
        (),
        "read all stages and compare them with what was made",
        "arguments.cache_arguments",
        "matrix.verify_cache",
    ),
    Command(
        ("powershell-modules",),
        "",
        (),
        "write PowerShell modules for scripts of the PowerShell tools",
        "arguments.modules_arguments",
        "powershell_modules.powershell_modules",
    ),
    Command(
        ("guide",),
        "",
        (),
        "show a guide, such as the one from an image to OpenStack",
        "arguments.guide_arguments",
        "guides.guide",
    ),
    Command(
        ("completion",),
        "",
        (),
        "write what a shell needs to complete these commands",
        "arguments.completion_arguments",
        "completion.completion",
    ),
    Command(
        ("doctor",),
        "",
        (),
        "say what this machine can make, or what speaks against a configuration",
        "doctor.doctor_arguments",
        "doctor.doctor",
    ),
)
