"""Checks of the image file: how it is wrapped, and which container it is."""

from __future__ import annotations

from pathlib import Path

from winimagetools.checks.result import Result, bad, doubtful, good
from winimagetools.checks.subject import Subject
from winimagetools.image.delivery import TYPE_FORMATS
from winimagetools.model import DiskFormat, ImageType

_OTHER_NAMES = {DiskFormat.RAW: ("img", "dd")}


def expected_format(image_type: ImageType, path: Path) -> DiskFormat:
    """The container an image of a type has; a ``.vhd`` of type HYPER-V may stay one."""
    if image_type is ImageType.HYPER_V and path.suffix.casefold() == ".vhd":
        return DiskFormat.VHD
    return TYPE_FORMATS[image_type]


def check_container(subject: Subject) -> Result:
    """The container by content, against the platform and the file name."""
    name, found = subject.disk.name, subject.container
    suffix = subject.disk.suffix.casefold()[1:]
    if subject.request is not None:
        wanted = expected_format(subject.request.image_type, subject.disk)
        if found is not wanted:
            return bad(
                "container",
                f"{name} is {found} inside, not {wanted}, which {subject.request.image_type} "
                "wants.",
                "Set virtual_disk_format, or convert it with qemu-img.",
            )
        if suffix != wanted.extension:
            return bad(
                "container", f"{name} does not end in .{wanted.extension}.", "Rename the image."
            )
    elif suffix not in (found.extension, *_OTHER_NAMES.get(found, ()), ""):
        return doubtful(
            "container",
            f"{name} is {found} inside, which its name does not say.",
            f"Let it end in .{found.extension}: programs that go by the name misread it.",
        )
    return good("container", f"{name} is {found}.")
