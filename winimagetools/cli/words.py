"""The words of a command line, as the PowerShell modules hand them over.

Each word travels as Base64 of its UTF-8 bytes, joined by commas in an environment variable,
because Windows PowerShell 5 damages quotes in the arguments of programs.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import MutableMapping, Sequence

from winimagetools.errors import RequestError

ARGUMENTS_OPTION = "--arguments-from-env"
"""First word of a command line whose other words are in the environment variable it names."""


def expand_arguments(words: Sequence[str], environment: MutableMapping[str, str]) -> list[str]:
    """The words of a command line, taken from the environment where the first one says so.

    The variable is removed: programs that are started later do not see what was in it.

    Args:
        words: the command line.
        environment: variables of this process.

    Raises:
        RequestError: there is no such variable, or it does not hold what the modules write.
    """
    if list(words[:1]) != [ARGUMENTS_OPTION]:
        return list(words)
    name = words[1] if len(words) > 1 else ""
    if name not in environment:
        raise RequestError(
            f"{ARGUMENTS_OPTION} names {name!r}, which is no environment variable.",
            "It is meant for the PowerShell modules only.",
        )
    value = environment.pop(name)
    try:
        return [base64.b64decode(word, validate=True).decode() for word in value.split(",")]
    except (binascii.Error, UnicodeDecodeError) as error:
        raise RequestError(
            f"The environment variable {name} does not hold a command line: {error}.",
            "Write the PowerShell modules again with: winimagetools powershell-modules FOLDER",
        ) from error
