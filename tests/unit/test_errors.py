from __future__ import annotations

import re

import pytest

from winimagetools import errors
from winimagetools.errors import ConfigurationError, HostError, Problem, raise_problems


def test_every_error_stands_in_the_drawing() -> None:
    """The tree in the module's docstring names every exception of the module."""
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    drawn = set(re.findall(r"\b([A-Z]\w+Error|Interrupted)\b", errors.__doc__ or ""))
    assert classes == drawn


def test_exit_codes() -> None:
    """Each branch of the tree has its exit code."""
    assert errors.BuildError("x").exit_code == 1
    assert errors.ChecksumError("x").exit_code == 1
    assert errors.MediaError("x").exit_code == 2
    assert errors.ConfigurationError([Problem("x")]).exit_code == 2
    assert errors.ToolMissingError("t", "p", "do it").exit_code == 3
    assert errors.Interrupted("x").exit_code == 130


def test_a_missing_tool_names_package_and_reason() -> None:
    """The user learns what is missing, why, and how to get it."""
    error = errors.ToolMissingError("mkntfs", "ntfs-3g", "format the Windows partition")
    assert str(error) == (
        "mkntfs was not found; it is needed to format the Windows partition. "
        "Install it: apt install ntfs-3g"
    )


@pytest.mark.parametrize(
    ("returncode", "reason", "message"),
    [
        (7, "", "This command failed with exit code 7: tool. It said:\nno"),
        (-15, "", "This command was ended by signal SIGTERM (15): tool. It said:\nno"),
        (
            -9,
            "",
            "This command was ended by signal SIGKILL (9), as the kernel does when memory runs "
            "out: tool. It said:\nno",
        ),
        (-50, "", "This command was ended by signal 50: tool. It said:\nno"),
        (
            139,
            "",
            "This command failed with exit code 139, which stands for signal SIGSEGV (11): tool. "
            "It said:\nno",
        ),
        (128, "", "This command failed with exit code 128: tool. It said:\nno"),
        (255, "", "This command failed with exit code 255: tool. It said:\nno"),
        (3221225786, "", "This command failed with exit code 3221225786: tool. It said:\nno"),
        (-9, "was stopped", "This command was stopped: tool. It said:\nno"),
    ],
)
def test_how_a_program_ended(returncode: int, reason: str, message: str) -> None:
    """A signal is named, also the one that an exit code of a shell stands for."""
    assert str(errors.CommandError("tool", returncode, "no", reason)) == message


def test_problems_are_reported_together() -> None:
    """All problems stand in one error, each with section, key, line and hint."""
    problems = [
        Problem("It is too small.", "Use 40GB.", "vm", "disk_size", 12),
        Problem("Nothing is named.", section="DEFAULT", key="image_name"),
    ]
    with pytest.raises(ConfigurationError) as caught:
        raise_problems(problems, "config.ini")
    assert caught.value.problems == tuple(problems)
    assert caught.value.message.splitlines() == [
        "config.ini cannot be used; it has 2 problems:",
        "  - [vm] disk_size (line 12): It is too small. Use 40GB.",
        "  - [DEFAULT] image_name: Nothing is named.",
    ]


def test_one_problem_is_one_sentence() -> None:
    """A single problem is not a list."""
    with pytest.raises(ConfigurationError, match=r"^The configuration cannot be used: Bad\.$"):
        raise_problems([Problem("Bad.")])
    with pytest.raises(ConfigurationError) as caught:
        raise_problems([Problem("Bad.", "Mend it.", "vm", "cpu_count", 3)], "config.ini")
    assert caught.value.message == "config.ini cannot be used: [vm] cpu_count (line 3): Bad."
    assert caught.value.hint == "Mend it."


def test_only_this_machine_is_at_fault() -> None:
    """When every problem is about the machine, the exit code says so; a mixture does not."""
    with pytest.raises(HostError) as caught:
        raise_problems([Problem("No tool.", "Get it.", host=True)])
    assert (caught.value.message, caught.value.hint) == ("No tool.", "Get it.")
    with pytest.raises(HostError, match=r"^This machine is not ready:\n  - No tool\.\n  - Nor"):
        raise_problems([Problem("No tool.", host=True), Problem("Nor this.", host=True)])
    with pytest.raises(ConfigurationError):
        raise_problems([Problem("No tool.", host=True), Problem("Bad.")])


def test_no_problem_is_no_error() -> None:
    """Nothing is raised for nothing."""
    raise_problems([])
