"""Which time and which ids an image gets, so that the same inputs give the same image.

The time is that of ``SOURCE_DATE_EPOCH`` (https://reproducible-builds.org/specs/source-date-epoch),
else the one at which the edition was last changed on its medium. Ids come from the version of
these tools, the edition and the options. Left out are options that are no property of the
disk: where something lies, in which container it is delivered, and everything secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from winimagetools.image.request import Request, Workflow
from winimagetools.model import WimImage
from winimagetools.settings.findings import Findings
from winimagetools.settings.options import OPTIONS, WindowsImageConfig
from winimagetools.stamp import Stamp, from_filetime
from winimagetools.version import __version__

VARIABLE = "SOURCE_DATE_EPOCH"
_WITHOUT_TIME = 946_684_800
"""2000-01-01, for a medium that does not say how old it is."""
_LATEST = (1 << 32) - 1
"""A gzip header has no room for later ones."""
PLACES = ("_path", "_socket", "url")
"""How options end that say where something is."""
_DELIVERY = frozenset(
    ("virtual_disk_format", "vhd_subformat", "compress_qcow2", "compression_format")
)


def read_epoch(environment: Mapping[str, str], found: Findings) -> int | None:
    """The time that ``SOURCE_DATE_EPOCH`` asks for; None when it asks for none."""
    text = environment.get(VARIABLE, "").strip()
    if not text:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= _LATEST:
        return int(text)
    found.add(
        "image_path",
        f"{VARIABLE} is {text!r}; it has to be a number of seconds since 1970 below {_LATEST}.",
        "Set it to one, or unset it: then the image has the time of its medium.",
    )
    return None


def decide_stamp(
    request: Request, edition: WimImage | None, config: WindowsImageConfig, epoch: int | None
) -> Stamp:
    """The stamp of an image; a new one for an image that a running Windows finishes.

    Args:
        request: what is wanted.
        edition: of the medium; None for a golden image.
        config: the options.
        epoch: the time that was asked for.
    """
    if request.workflow is not Workflow.CLOUD or edition is None:
        return Stamp.fresh()
    time = from_filetime(edition.modified) if edition.modified else _WITHOUT_TIME
    if epoch is not None:
        time = epoch
    return Stamp.of(min(max(time, 0), _LATEST), "\n".join(_inputs(edition, config)))


def _inputs(edition: WimImage, config: WindowsImageConfig) -> Iterator[str]:
    yield __version__
    yield repr(edition)
    for option in OPTIONS:
        place = option.name.endswith(PLACES) or option.name in _DELIVERY
        if not option.secret and not place:
            yield f"{option.section}.{option.name}={getattr(config, option.name)!r}"
