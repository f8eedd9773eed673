"""Reading configurations for tests: what is asked for, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.dry_build import SERVER_2022, config_text
from winimagetools.config import read_config
from winimagetools.contract import Host
from winimagetools.errors import ConfigurationError, Problem
from winimagetools.image import preflight
from winimagetools.image.request import Request, Workflow

CLOUD = {"wim_file_path": "install.wim", "image_name": SERVER_2022, "image_path": "win.vhdx"}


def read(host: Host, workflow: Workflow, **options: object) -> Request:
    """Check a configuration."""
    values = {key: str(value) for key, value in {**CLOUD, **options}.items()}
    Path("config.ini").write_text(config_text(values))
    found = read_config("config.ini")
    request = preflight.read_request(found, workflow, host)
    found.settle()
    return request


def problems(host: Host, workflow: Workflow, **options: object) -> list[Problem]:
    """What is wrong with a configuration."""
    with pytest.raises(ConfigurationError) as caught:
        read(host, workflow, **options)
    return list(caught.value.problems)


def keys(host: Host, workflow: Workflow, **options: object) -> list[str]:
    """Which options are wrong."""
    return [problem.key for problem in problems(host, workflow, **options)]
