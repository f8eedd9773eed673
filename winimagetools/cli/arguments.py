"""The arguments of each command."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def config_argument(parser: argparse.ArgumentParser) -> None:
    """The configuration file."""
    parser.add_argument("config", metavar="CONFIG", help="configuration file (config.ini)")


def settings_arguments(parser: argparse.ArgumentParser) -> None:
    """The configuration file and what wins over it."""
    config_argument(parser)
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="win over an option of the file; may be repeated",
    )
    parser.add_argument(
        "--strict", action="store_true", help="refuse what otherwise only is warned about"
    )


def workflow_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of a build from a medium, which can be listed without being done."""
    settings_arguments(parser)
    checksum_argument(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="list what would be done, and do nothing"
    )


def checksum_argument(parser: argparse.ArgumentParser) -> None:
    """Whether the SHA-256 of the image is computed."""
    parser.add_argument(
        "--checksum",
        action=argparse.BooleanOptionalAction,
        help="compute the SHA-256 of the image; usual but for RAW and fixed VHD, mostly holes",
    )


def golden_arguments(parser: argparse.ArgumentParser) -> None:
    """No dry run: which drivers fit depends on the Windows inside the golden image."""
    settings_arguments(parser)
    checksum_argument(parser)


def show_config_arguments(parser: argparse.ArgumentParser) -> None:
    """The configuration and the form it is shown in."""
    settings_arguments(parser)
    parser.add_argument(
        "--json", action="store_true", help="print JSON for a program, passwords included"
    )


def wim_arguments(parser: argparse.ArgumentParser) -> None:
    """An installation medium and the form its editions are shown in."""
    parser.add_argument("wim", metavar="WIM", help="a WIM, ESD, SWM or ISO")
    parser.add_argument("--json", action="store_true", help="print JSON with all fields")


def shrink_arguments(parser: argparse.ArgumentParser) -> None:
    """A disk and how much space is left."""
    parser.add_argument("disk", metavar="DISK", help="a virtual disk")
    parser.add_argument(
        "--free-space", default="500MB", metavar="SIZE", help="bytes to leave spare (500MB)"
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


def modules_arguments(parser: argparse.ArgumentParser) -> None:
    """A folder."""
    parser.add_argument("folder", metavar="DIR", help="where to write them")


def ini_arguments(*names: str) -> Callable[[argparse.ArgumentParser], None]:
    """A function that adds a file, ``names`` by position, and the section."""

    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("path", metavar="PATH", help="the file")
        for name in names:
            parser.add_argument(name, metavar=name.upper())
        parser.add_argument("--section", default="DEFAULT", help="section (DEFAULT)")

    return add


def ini_get_arguments(parser: argparse.ArgumentParser) -> None:
    """A key and what to make of it."""
    ini_arguments("key")(parser)
    parser.add_argument("--default", default=None, help="what to print when there is no value")
    parser.add_argument("--as-boolean", action="store_true", help="print True or False")


def no_arguments(_: argparse.ArgumentParser) -> None:
    """None."""
