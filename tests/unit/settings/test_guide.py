"""The guide to the options says what their declarations say."""

from __future__ import annotations

import re

from winimagetools.settings.guide import options_guide
from winimagetools.settings.options import OPTIONS


def test_every_option_is_told_once_in_its_section() -> None:
    """With its help, kind and default."""
    parts = re.split(r"\n## \[(\w+)\]\n", options_guide())
    told = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert set(told) == {option.section for option in OPTIONS}
    for option in OPTIONS:
        assert told[option.section].count(f"### {option.name}\n\n{option.help}\n") == 1
    assert sum(text.count("### ") for text in told.values()) == len(OPTIONS)
    assert "### disk_size\n" in told["vm"]
    assert "Kind: size. Default: `" in told["vm"]
    secret = told["DEFAULT"] + told["vm"]
    assert "it is a secret" in secret.partition("### administrator_password\n")[2].split("###")[0]
