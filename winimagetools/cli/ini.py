"""The commands about any ini file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from winimagetools import ini, log
from winimagetools.cli.ini_advice import doubt, where_it_is
from winimagetools.errors import WinImageError
from winimagetools.formats.ini_document import IniFile


def ini_get(arguments: argparse.Namespace) -> int:
    """``ini get``: exit code 1 when there is no such key and no default for it."""
    document = IniFile.read(Path(arguments.path))
    if arguments.default is None and document.get(arguments.section, arguments.key) is None:
        raise WinImageError(
            f"{arguments.path} has no {arguments.key} in [{arguments.section}].",
            where_it_is(document, arguments.key),
        )
    value = ini.get_ini_file_value(
        arguments.path,
        arguments.key,
        arguments.section,
        arguments.default,
        as_boolean=arguments.as_boolean,
    )
    # Not masked: a script asked for this very value, and has the file.
    sys.stdout.write(f"{value}\n")
    return 0


def ini_set(arguments: argparse.Namespace) -> int:
    """``ini set``: a key that no build reads is set with a warning."""
    document = IniFile.read(Path(arguments.path))
    message, hint = doubt(document, arguments.section, arguments.key)
    ini.set_ini_file_value(arguments.path, arguments.key, arguments.value, arguments.section)
    if message:
        log.warning(f"{message} {hint}")
    return 0


def ini_remove(arguments: argparse.Namespace) -> int:
    """``ini remove``."""
    ini.remove_ini_file_value(arguments.path, arguments.key, arguments.section)
    return 0
