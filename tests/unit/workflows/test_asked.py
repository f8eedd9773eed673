"""The keyword arguments of the functions that make an image."""

from __future__ import annotations

import dataclasses

import pytest

from winimagetools.workflows.asked import Asked, BuildOptions
from winimagetools.workflows.build import new_windows_cloud_image


def test_every_argument_has_a_usual_value() -> None:
    """What may be written is what is understood, with the same type."""
    usual = {field.name: field.type for field in dataclasses.fields(Asked)}
    written = {name: each.__forward_arg__ for name, each in BuildOptions.__annotations__.items()}
    assert written == usual
    assert Asked() == Asked((), False, None, None, None, True, None)


def test_an_argument_there_is_not() -> None:
    """It is an error before anything begins, as with any function."""
    with pytest.raises(TypeError, match="chekcsum"):
        new_windows_cloud_image("config.ini", chekcsum=True)  # type: ignore[call-arg]
