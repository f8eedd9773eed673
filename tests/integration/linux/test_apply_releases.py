"""Both engines make the same image of every stand-in medium."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.media import MediaSpec
from fixtures.releases import RELEASES
from tests.integration.linux.apply_engines import Described, described
from tests.integration.linux.build import Job
from winimagetools.files import sparse
from winimagetools.host.linux import disks
from winimagetools.host.linux.apply.engine import write_inside
from winimagetools.host.linux.existing_disk import open_existing
from winimagetools.model import Architecture, DiskLayout

MakeMedia = Callable[[MediaSpec], Path]
CASES = [
    pytest.param(key, architecture, layout, id=f"{key}-{architecture}-{layout}")
    for key, release in RELEASES.items()
    for architecture in release.architectures
    for layout in DiskLayout
    if (key, architecture, layout) != ("7", Architecture.X86, DiskLayout.UEFI)  # has no UEFI
    and (architecture, layout) != (Architecture.ARM64, DiskLayout.BIOS)
]


@pytest.mark.parametrize(("key", "architecture", "layout"), CASES)
def test_both_make_the_same_image(
    key: str,
    architecture: Architecture,
    layout: DiskLayout,
    install_media: MakeMedia,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever ntfs-3g reads of their Windows volumes is equal, and nothing contradicts itself."""
    caplog.set_level("INFO")
    edition = RELEASES[key].editions[-1]
    wim = install_media(MediaSpec(key, architecture, (edition.name,)))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    options = {
        "DEFAULT.image_name": edition.name,
        "DEFAULT.disk_layout": layout,
        "DEFAULT.force": "True",
        "vm.disk_size": "2GB",
    }
    job, found = Job(tmp_path, wim, options), []
    for engine in (write_inside, no_engine):  # not by the option, which is in the image
        monkeypatch.setattr(disks, "write_inside", engine)
        assert job.build("--verify", "--no-report") == 0
        found.append(windows_volume(job.image))
        assert "libwim applies the image" not in caplog.text  # for want of the other one
    (ours, our_links), (theirs, their_links) = found
    assert set(ours) ^ set(theirs) == set()
    assert (ours, our_links) == (theirs, their_links)


def no_engine(*_: object) -> None:
    """Leave everything to libwim."""


def windows_volume(image: Path) -> Described:
    """Everything in the Windows volume of a raw image, which is gone afterwards."""
    with open_existing(image, read_only=True) as disk:
        windows = disk.windows
    volume = image.with_suffix(".volume")
    with image.open("rb") as source, volume.open("wb") as target:
        for extent in sparse.extents_between(
            source.fileno(), windows.start, windows.start + windows.size
        ):
            if extent.offset is not None:
                source.seek(extent.offset)
                target.seek(extent.offset - windows.start)
                target.write(source.read(extent.length))
        target.truncate(windows.size)
    image.unlink()
    return described(volume, image.with_suffix(".wim"))
