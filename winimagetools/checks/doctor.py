"""What this machine has and lacks."""

from __future__ import annotations

from winimagetools.host import select_host
from winimagetools.model import DiskFormat, DiskLayout
from winimagetools.plan import Requirements


def describe_hosts() -> tuple[list[str], bool]:
    """What this machine has and lacks, for ``winimagetools doctor``.

    Returns:
        Lines for people, and whether everything is there.
    """
    host = select_host()
    lines = [f"This is a {host.name} host."]
    problems = {
        str(problem)
        for layout in DiskLayout
        for problem in host.checks.check(Requirements(layout, formats=tuple(DiskFormat)))
    }
    lines += [f"missing: {problem}" for problem in sorted(problems)]
    if not problems:
        lines.append("Everything needed to make BIOS and UEFI images in every format is here.")
    return lines, not problems
