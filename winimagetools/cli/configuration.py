"""The commands about a configuration, and about the medium it names."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from winimagetools import config, log
from winimagetools.cli.output import write
from winimagetools.cli.show import config_json, config_lines, images_json, images_table
from winimagetools.formats.wim.editions import read_wim


def new_config(arguments: argparse.Namespace) -> int:
    """``new-config``."""
    config.new_windows_image_config(arguments.config, force=arguments.force)
    log.info(f"{arguments.config} was written.")
    return 0


def show_config(arguments: argparse.Namespace) -> int:
    """``show-config``: lines for people with secrets hidden, or JSON for programs."""
    settings = config.get_windows_image_config(
        arguments.config, overrides=arguments.overrides, strict=arguments.strict
    )
    if arguments.json:
        # Not masked: the caller asked for what is in the file, and has the file.
        sys.stdout.write(config_json(settings) + "\n")
    else:
        write(config_lines(settings))
    return 0


def wim_info(arguments: argparse.Namespace) -> int:
    """``wim-info``: a table for people or JSON for programs."""
    info = read_wim(Path(arguments.wim))
    for other in info.others:
        log.warning(f'Image {other.index} ("{other.name}") is left out because it {other.reason}.')
    if arguments.json:
        write(images_json(info.images))
    elif info.images:
        write(images_table(info.images))
    return 0
