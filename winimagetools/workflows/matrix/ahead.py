"""Snakemake, started while it is still decided what it has to make.

Its import takes as long as a matrix is read, planned and refused. Nothing is done before it is
told what to do, and it goes when nobody does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from winimagetools.matrix.snakefile import RUNNER
from winimagetools.run import Program, Tool, spawn, tied
from winimagetools.workflows.matrix.engine import can_fork


@contextmanager
def engine_ahead() -> Iterator[Program | None]:
    """The process that will run Snakemake; None where it would be in the way of the decision.

    That is on a machine with one processor, and where processes cannot be copied.
    """
    if not can_fork() or (os.cpu_count() or 1) < 2:
        yield None
        return
    with started_engine() as program:
        yield program


@contextmanager
def started_engine() -> Iterator[Program]:
    """The process that will run Snakemake, which waits for a line of its input."""
    first, *more = tied([sys.executable, "-m", RUNNER], "KILL")
    with spawn(Tool(first, "python3", "run Snakemake"), more, open_input=True) as program:
        yield program
