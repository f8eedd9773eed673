"""``matrix`` begins with what takes longest: Snakemake is imported beside everything else."""

from __future__ import annotations

import argparse
from contextlib import nullcontext

from winimagetools.workflows.matrix.ahead import engine_ahead


def matrix(arguments: argparse.Namespace) -> int:
    """Exit code 1 when an image could not be made."""
    here = not arguments.list and not arguments.executor
    with engine_ahead() if here else nullcontext() as ahead:
        # A quarter of a second of imports, in which Snakemake starts already.
        from winimagetools.cli.matrix import matrix as make

        return make(arguments, ahead)
