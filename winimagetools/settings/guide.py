"""The guide to every option, made of their declarations."""

from __future__ import annotations

from collections.abc import Iterator

from winimagetools.settings.declaration import Option
from winimagetools.settings.options import OPTIONS

_INTRODUCTION = """\
# Every option of the configuration

`winimagetools new-config config.ini` writes a file with all of them. A value is changed there, with
`winimagetools ini set`, or for one build with `--set section.key=value`."""


def options_guide() -> str:
    """Section by section, each option with its kind, its default and what it is for."""
    return "\n".join([_INTRODUCTION, *_lines()])


def _lines() -> Iterator[str]:
    section = None
    for option in sorted(OPTIONS, key=_place):
        if option.section != section:
            section = option.section
            yield f"\n## [{section}]"
        yield f"\n### {option.name}\n\n{option.help}\n\n{_facts(option)}"


def _place(option: Option) -> int:
    """Sections in the order of their first option."""
    return [other.section for other in OPTIONS].index(option.section)


def _facts(option: Option) -> str:
    default = f"`{option.default}`" if option.default != "" else "none"
    secret = "; it is a secret, and shown nowhere" if option.secret else ""
    return f"Kind: {option.kind}. Default: {default}{secret}."
