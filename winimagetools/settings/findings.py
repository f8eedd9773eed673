"""What was found against a request, collected until everything was looked at.

Whoever checks goes on after a problem, so that all of them are said in one message. Warnings
are collected beside them: ``--strict`` turns each into a problem, wherever it arose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from winimagetools import log
from winimagetools.errors import HostError, Problem, RequestError, raise_problems
from winimagetools.settings.options import WindowsImageConfig

T = TypeVar("T")


@dataclass
class Findings:
    """Problems and warnings about one configuration.

    Args:
        config: knows section and line of each option.
        strict: every warning is a problem.
    """

    config: WindowsImageConfig
    strict: bool = False
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def add(self, key: str, message: str, hint: str = "") -> None:
        """A problem of option ``key``: what is wrong and what to do, as whole sentences."""
        self.problems.append(self.config.problem(key, message, hint))

    def warn(self, key: str, message: str, hint: str = "") -> None:
        """Something about option ``key`` that the user probably did not mean."""
        self.warnings.append(self.config.problem(key, message, hint))

    def attempt(self, key: str, action: Callable[[], T], fallback: T) -> T:
        """The result of ``action``; a refusal becomes a problem of option ``key``, or of the
        option it names. What this machine lacks becomes a problem of the machine, told once.
        """
        try:
            return action()
        except RequestError as error:
            self.add(error.option or key, error.message, error.hint or error.remedy)
        except HostError as error:
            if all(problem.message != error.message for problem in self.problems):
                self.problems.append(Problem(error.message, error.hint or error.remedy, host=True))
        except OSError as error:
            self.add(
                key,
                f"{error.filename} cannot be used: {error.strerror}.",
                "Check that it is there and that you may read it.",
            )
        return fallback

    def settle(self) -> None:
        """Say the warnings, and raise one error with all problems when there are any.

        Raises:
            ConfigurationError: at least one problem is about the request.
            HostError: all of them are about this machine.
        """
        source = str(self.config.origin.path or "")
        for warning in self.allowed():
            log.warning(f"{source}: {warning}" if source else str(warning))
        raise_problems(self.refused(), source)

    def refused(self) -> list[Problem]:
        """What keeps a workflow from starting, in the order of the lines of the file."""
        problems = [*self.problems, *(self.warnings if self.strict else ())]
        return sorted(problems, key=lambda problem: problem.line or 0)

    def allowed(self) -> list[Problem]:
        """What is only warned about."""
        return [] if self.strict else list(self.warnings)
