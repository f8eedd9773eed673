"""The arguments of each command."""

from __future__ import annotations

import argparse

from winimagetools.files.access import parse_mode

NAMES_FILES = "names_files"
"""The attribute of an argument whose value a shell may complete with the name of a file."""


def file_argument(parser: argparse.ArgumentParser, name: str, metavar: str, text: str) -> None:
    """A file that exists, which a shell may complete."""
    setattr(parser.add_argument(name, metavar=metavar, help=text), NAMES_FILES, True)


_CONFIG = "configuration file (config.ini)"


def config_argument(parser: argparse.ArgumentParser) -> None:
    """The configuration file."""
    file_argument(parser, "config", "CONFIG", _CONFIG)


def new_config_arguments(parser: argparse.ArgumentParser) -> None:
    """The file to write, and whether it may exist."""
    config_argument(parser)
    parser.add_argument("--force", action="store_true", help="replace the file when it exists")


def settings_arguments(parser: argparse.ArgumentParser, about: str = _CONFIG) -> None:
    """The configuration file and what wins over it."""
    file_argument(parser, "config", "CONFIG", about)
    settings_options(parser)


def settings_options(parser: argparse.ArgumentParser) -> None:
    """What wins over a configuration file, and how strictly it is read."""
    _set_option(parser, "win over an option of the file; may be repeated")
    parser.add_argument(
        "--strict", action="store_true", help="refuse what otherwise only is warned about"
    )


def _set_option(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help=text,
    )


def workflow_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of a build from a medium, which can be listed without being done."""
    settings_arguments(parser)
    _result_arguments(parser)
    parser.add_argument(
        "--verify",
        action="store_true",
        help="compare everything in the NTFS volume, as test-image --strict-ntfs does, before the "
        "disk becomes anything else (on Linux only)",
    )
    result = parser.add_mutually_exclusive_group()
    result.add_argument(
        "--dry-run", action="store_true", help="list what would be done, and do nothing"
    )
    _json_argument(result)


def _json_argument(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--json", action="store_true", help="print the summary as JSON for a program"
    )


def _result_arguments(parser: argparse.ArgumentParser) -> None:
    """What is wanted of the finished image beside the configuration."""
    parser.add_argument(
        "--mode",
        type=parse_mode,
        metavar="OCTAL",
        help="who may read and change the image, as for chmod: 640, for example; without it those "
        "who may use the image it replaces, or its owner only",
    )
    parser.add_argument(
        "--checksum",
        action=argparse.BooleanOptionalAction,
        help="compute the SHA-256 of the image; usual but for RAW and fixed VHD, mostly holes",
    )
    parser.add_argument(
        "--no-report",
        dest="report",
        action="store_false",
        help="do not write the folder NAME.report beside the image",
    )
    file_argument(
        parser, "--sign-key", "PEM", "sign the provenance in the report with this private key"
    )


def failure_argument(parser: argparse.ArgumentParser) -> None:
    """What is kept of a virtual machine that fails: an option of the configuration, in short."""
    parser.add_argument(
        "--discard-failed",
        dest="overrides",
        action="append_const",
        const="vm.discard_failed=True",
        help="keep nothing when the virtual machine fails",
    )


def online_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of a build from a medium, and what happens to a machine that fails."""
    workflow_arguments(parser)
    failure_argument(parser)
    file_argument(
        parser,
        "--offline-disk",
        "RAW",
        "start from this copy of what cloud-image made of the configuration with "
        "virtual_disk_format=RAW",
    )


def convert_arguments(parser: argparse.ArgumentParser) -> None:
    """A finished disk, and a configuration that says what becomes of it."""
    file_argument(parser, "disk", "DISK", "a finished disk, which stays as it is")
    settings_arguments(parser)
    _result_arguments(parser)
    _json_argument(parser)


def resume_arguments(parser: argparse.ArgumentParser) -> None:
    """What was kept of a run that failed."""
    parser.add_argument("folder", metavar="FOLDER", help="the folder NAME.failed-TIME")


def golden_arguments(parser: argparse.ArgumentParser) -> None:
    """No dry run: which drivers fit depends on the Windows inside the golden image."""
    settings_arguments(parser)
    failure_argument(parser)
    _result_arguments(parser)
    _json_argument(parser)


def show_config_arguments(parser: argparse.ArgumentParser) -> None:
    """The configuration and the form it is shown in."""
    settings_arguments(parser)
    parser.add_argument(
        "--json", action="store_true", help="print JSON for a program, passwords included"
    )


def wim_arguments(parser: argparse.ArgumentParser) -> None:
    """An installation medium and the form its editions are shown in."""
    file_argument(parser, "wim", "WIM", "a WIM, ESD, SWM or ISO")
    parser.add_argument("--json", action="store_true", help="print JSON with all fields")


def check_arguments(parser: argparse.ArgumentParser) -> None:
    """A configuration or an image, and the form the results are shown in."""
    settings_arguments(parser, "configuration file (config.ini), or the image itself")
    parser.add_argument(
        "--strict-ntfs",
        action="store_true",
        help="compare everything in the NTFS volume, which takes 2 seconds for 60,000 files",
    )
    parser.add_argument(
        "--boot",
        action="store_true",
        help="start it in a machine that forgets what is written, until its boot manager goes on",
    )
    parser.add_argument(
        "--accel",
        choices=("auto", "kvm", "tcg"),
        default="auto",
        help="with --boot: KVM, or tcg for software",
    )
    parser.add_argument("--json", action="store_true", help="print JSON for a program")


def image_arguments(parser: argparse.ArgumentParser) -> None:
    """An image and the form it is described in."""
    file_argument(parser, "image", "IMAGE", "an image of any container")
    parser.add_argument("--json", action="store_true", help="print JSON for a program")


def list_arguments(parser: argparse.ArgumentParser) -> None:
    """A folder in an image."""
    parser.add_argument("place", metavar="IMAGE[:PATH]", help=r"such as image.qcow2:\Windows")
    parser.add_argument("--json", action="store_true", help="print JSON for a program")


def copy_out_arguments(parser: argparse.ArgumentParser) -> None:
    """A file or folder in an image, and where it goes."""
    parser.add_argument("place", metavar="IMAGE:PATH", help=r"such as image.qcow2:\Windows\Panther")
    parser.add_argument("folder", metavar="DIR", help="where to put it")


def shrink_arguments(parser: argparse.ArgumentParser) -> None:
    """A disk and how much space is left."""
    file_argument(parser, "disk", "DISK", "a virtual disk")
    parser.add_argument(
        "--free-space", default="500MB", metavar="SIZE", help="bytes to leave spare (500MB)"
    )


def extend_arguments(parser: argparse.ArgumentParser) -> None:
    """An image, and how large its disk is to be."""
    file_argument(parser, "image", "IMAGE", "an image of any container")
    parser.add_argument(
        "--size", default="", metavar="SIZE", help="enlarge the disk to this first, such as 60GB"
    )


def virtio_arguments(parser: argparse.ArgumentParser) -> None:
    """An attached volume and what Windows is on it, which cannot be asked there."""
    parser.add_argument("drive", metavar="DRIVE", help="drive letter of the Windows volume")
    parser.add_argument("iso", metavar="ISO", help="the virtio ISO")
    parser.add_argument(
        "--image-version", required=True, metavar="VERSION", help="of Windows, as in wim-info"
    )
    parser.add_argument(
        "--image-architecture", required=True, metavar="NAME", help="amd64, x86 or arm64"
    )
    parser.add_argument(
        "--installation-type", required=True, metavar="TYPE", help="Client, Server, Server Core"
    )


def matrix_arguments(parser: argparse.ArgumentParser) -> None:
    """A matrix file, which cells, and who runs their stages."""
    file_argument(parser, "file", "FILE", "the matrix, such as matrix.toml")
    parser.add_argument(
        "--list",
        action="store_true",
        help="show the cells, what would be made of each, what is reused and why; make nothing",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="'AXIS=PATTERN ...'",
        help="only the cells that match, such as 'edition=*2022* target=kubevirt'; may be repeated",
    )
    parser.add_argument(
        "--keep-going", action="store_true", help="go on with other cells when one has failed"
    )
    parser.add_argument(
        "--strict", action="store_true", help="refuse what otherwise only is warned about"
    )
    parser.add_argument(
        "--executor",
        default="",
        metavar="NAME",
        help="run the stages elsewhere: slurm, kubernetes, or any executor plugin of Snakemake",
    )
    parser.add_argument(
        "--engine-option",
        action="append",
        default=[],
        metavar="OPTION",
        help="a further option of Snakemake, written as --engine-option=--name=value",
    )
    parser.add_argument("--json", action="store_true", help="print JSON for a program")


def stage_arguments(parser: argparse.ArgumentParser) -> None:
    """A job of a matrix."""
    parser.add_argument("job", metavar="JOB", help="a file in the folder jobs of a run")


def cache_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder of the stages."""
    parser.add_argument(
        "--cache",
        metavar="DIR",
        help="the folder, when the matrix file names one; else the usual one is meant",
    )


def prune_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder, and what is to stay in it."""
    cache_arguments(parser)
    parser.add_argument(
        "--size", metavar="SIZE", help="remove the stages used longest ago until no more is taken"
    )
    parser.add_argument(
        "--age", metavar="TIME", help="remove what was not used for so long: 12h, 30d or 8w"
    )


def verify_arguments(parser: argparse.ArgumentParser) -> None:
    """An image, the key its provenance must be signed with, and how to build it again."""
    parser.add_argument("image", metavar="IMAGE", help="an image with its report beside it")
    parser.add_argument(
        "--key", metavar="PEM", help="the public key the provenance must be signed with"
    )
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="build it again from the inputs its report names, and compare every byte",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="with --rebuild: its configuration; else the options in the report are taken",
    )
    _set_option(
        parser, "with --rebuild: what no report tells, or where an input lies now; may be repeated"
    )
    parser.add_argument(
        "--folder", metavar="FOLDER", help="with --rebuild: where to build; else beside the image"
    )


def modules_arguments(parser: argparse.ArgumentParser) -> None:
    """A folder."""
    parser.add_argument("folder", metavar="DIR", help="where to write them")


def completion_arguments(parser: argparse.ArgumentParser) -> None:
    """A shell."""
    parser.add_argument("shell", choices=("bash", "zsh"), help="the shell it is for")


def guide_arguments(parser: argparse.ArgumentParser) -> None:
    """A guide."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="the guide; without it they are listed"
    )


def ini_get_arguments(parser: argparse.ArgumentParser) -> None:
    """A key and what to make of it."""
    _ini_arguments(parser, "key")
    parser.add_argument("--default", default=None, help="what to print when there is no value")
    parser.add_argument("--as-boolean", action="store_true", help="print True or False")


def ini_set_arguments(parser: argparse.ArgumentParser) -> None:
    """A key and its value."""
    _ini_arguments(parser, "key", "value")


def ini_remove_arguments(parser: argparse.ArgumentParser) -> None:
    """A key."""
    _ini_arguments(parser, "key")


def _ini_arguments(parser: argparse.ArgumentParser, *names: str) -> None:
    """A file, ``names`` by position, and the section."""
    file_argument(parser, "path", "PATH", "the file")
    for name in names:
        parser.add_argument(name, metavar=name.upper())
    parser.add_argument("--section", default="DEFAULT", help="section (DEFAULT)")
