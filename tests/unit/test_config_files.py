"""Configuration files that people published, read as they are, with the right warnings.

The files are genuine data (tests/needs.py). The same oddities are covered without them by
``test_config.py`` and ``settings/test_check.py``.
"""

from __future__ import annotations

import pytest

from tests import needs
from winimagetools.config import get_windows_image_config
from winimagetools.errors import ConfigurationError

WARNINGS: dict[str, list[tuple[int, str, str]]] = {
    "01": [
        *[(line, "", "DEFAULT") for line in range(1, 6)],
        *((6, "", "vm"), (7, "", "drivers"), (8, "", "custom"), (9, "", "custom")),
        *((10, "", "updates"), (11, "", "updates"), (12, "", "DEFAULT")),
    ],
    "39": [
        (45, "DEFAULT", "Remove it"),
        (153, "updates", "Write True or False"),
        (181, "cloudbase_init", "Did you mean cloudbase_init_"),
    ],
    "63": [(1, "", "DEFAULT"), (2, "", "DEFAULT")],
}
"""File → line, section and a word of the hint; the files not named here have no warning."""


NAMES = [
    *("01", "03", "05", "07", "08", "09", "10", "15"),
    *("17", "39", "47", "51", "57", "63", "64", "65"),
]


@pytest.mark.parametrize("name", NAMES)
def test_published_file(name: str) -> None:
    """Every file loads, and what it says in vain is told with its line."""
    config = get_windows_image_config(needs.genuine_path(f"configs/{name}.ini"))
    expected = WARNINGS.get(name, [])
    found = config.origin.warnings
    assert [(warning.line, warning.section) for warning in found] == [e[:2] for e in expected]
    assert all(word in warning.hint for warning, (_, _, word) in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_published_file_with_strict(name: str) -> None:
    """With strict those with a warning are refused with as many problems."""
    path = needs.genuine_path(f"configs/{name}.ini")
    if name not in WARNINGS:
        assert get_windows_image_config(path, strict=True).origin.warnings == ()
        return
    with pytest.raises(ConfigurationError) as caught:
        get_windows_image_config(path, strict=True)
    assert len(caught.value.problems) == len(WARNINGS[name])


@pytest.mark.parametrize(
    ("name", "option", "value", "line"),
    [
        ("01", "image_type", "HYPER-V", None),
        ("03", "compression_format", "tar.gz", 13),
        ("03", "administrator_password", "#" * 14, 36),
        ("05", "disk_size", 128 * 1024**3, 61),
        ("07", "time_zone", "W. Europe Standard Time", 2),
        ("08", "virtual_disk_format", "QCOW2", 3),
        ("08", "image_type", "qcow2", 4),
        ("09", "virtio_base_path", r"C:\Users\Administrator\Downloads\virtio-win-0.1.133.iso", 8),
        ("10", "wim_file_path", "", 3),
        ("15", "virtio_base_path", "d:\\", 136),
        ("39", "image_name", "$IMAGE_NAME", 7),
        ("39", "install_updates", False, 153),
        ("47", "wallpaper_solid_color", "0 0 0", 83),
        ("47", "ntp_servers", "ntp1.aliyun.com ntp2.aliyun.com time1.apple.com", 191),
        ("51", "image_name", "$image.ImageName", 3),
        ("51", "external_switch", "Default Switch", 15),
        ("57", "wim_file_path", r"${isoDriveLetter}:\Sources\install.wim", 3),
        ("57", "ram_size", 4 * 1024**3, 16),
        ("64", "extra_features", "Microsoft-Hyper-V,Container", 2),
    ],
)
def test_published_values(name: str, option: str, value: object, line: int | None) -> None:
    """Values come out as the Win32 API would give them, with their lines."""
    config = get_windows_image_config(needs.genuine_path(f"configs/{name}.ini"))
    assert getattr(config, option) == value
    assert config.origin.line(option) == line
