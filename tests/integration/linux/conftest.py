"""Stand-in media every integration test can share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures import media


@pytest.fixture(scope="session")
def install_media(tmp_path_factory: pytest.TempPathFactory) -> Callable[[media.MediaSpec], Path]:
    """Makes stand-in media on demand; the same specification is made once per session."""
    made: dict[media.MediaSpec, Path] = {}

    def make(spec: media.MediaSpec) -> Path:
        if spec not in made:
            made[spec] = media.make(spec, tmp_path_factory.mktemp("media"))
        return made[spec]

    return make


@pytest.fixture(scope="session")
def install_wim(install_media: Callable[[media.MediaSpec], Path]) -> Path:
    """A small WIM with one image: Windows Server 2022 Standard (amd64)."""
    return install_media(media.MediaSpec(editions=("ServerStandard",)))
