"""What is said of values, keys and answer files before an edition is built with them."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from winimagetools.guest.answer_file import default_template
from winimagetools.image.edition_needs import check_edition, check_values
from winimagetools.model import Architecture, WimImage, WindowsVersion
from winimagetools.settings.findings import Findings
from winimagetools.settings.options import WindowsImageConfig

KEY = "VDYBN-27WPP-V4HQT-9VMD4-VMK7H"
SERVER = WimImage(
    1, "Windows Server 2022 SERVERSTANDARD", Architecture.AMD64, WindowsVersion(10, 0, 20348),
    "Server", "ServerStandard",
)  # fmt: skip
EVALUATION = replace(SERVER, edition_id="ServerStandardEval")
WITHOUT_LOGON = b"""<unattend xmlns="urn:schemas-microsoft-com:unattend">
<settings pass="specialize"><component name="Microsoft-Windows-Shell-Setup"
 processorArchitecture="amd64"><ProductKey>%s</ProductKey></component></settings></unattend>"""


def values(**options: str) -> Findings:
    """What is found about a configuration."""
    found = Findings(WindowsImageConfig(**options))  # type: ignore[arg-type]
    check_values(found)
    return found


def edition(
    image: WimImage,
    key: str = "",
    unattend: Path | None = None,
    *,
    waits: bool = False,
    pkeyconfig: bytes = b"",
    delayed: bool = False,
) -> Findings:
    """What is found about an edition."""
    found = Findings(WindowsImageConfig(cloudbase_init_delayed_start=delayed))
    check_edition(found, image, key, unattend, waits=waits, pkeyconfig=pkeyconfig)
    return found


def test_nothing_to_say() -> None:
    """Neither of the defaults nor of the right key."""
    for found in (values(), edition(SERVER), edition(SERVER, KEY)):
        assert found.problems == found.warnings == []


def test_values_windows_cannot_take() -> None:
    """All together, each with its option; another spelling is only warned about."""
    found = values(
        time_zone="Mitteleuropäische Zeit", administrator_password="a\x01", image_type="HYPERV"
    )
    assert [problem.key for problem in found.problems] == ["time_zone", "administrator_password"]
    assert [warning.key for warning in found.warnings] == ["image_type"]
    assert values(time_zone="Europe/Berlin").problems == []


def test_a_client_key_on_an_evaluation_edition() -> None:
    """Written out, as default_kms_key is."""
    found = edition(EVALUATION, KEY)
    assert found.problems == []
    assert [warning.key for warning in found.warnings] == ["product_key"]


@pytest.mark.parametrize(("delayed", "said"), [(False, 1), (True, 0)])
def test_an_oem_key(delayed: bool, said: int) -> None:
    """Only told where Cloudbase-Init depends on SetupComplete.cmd."""
    inner = "<Configuration><RefGroupId>4541</RefGroupId><ProductKeyType>OEM:DM</ProductKeyType>"
    data = base64.b64encode(f"{inner}</Configuration>".encode())
    listed = b'<infoBin name="pkeyConfigData">' + data + b"</infoBin>"
    found = edition(SERVER, KEY, pkeyconfig=listed, delayed=delayed)
    assert ["SetupComplete.cmd" in item.message for item in found.warnings] == [True] * said


@pytest.mark.parametrize("waits", [False, True])
def test_an_answer_file_that_finishes_nothing(tmp_path: Path, waits: bool) -> None:
    """A problem where the build would wait for ever, else a warning."""
    path = tmp_path / "mine.xml"
    path.write_bytes(WITHOUT_LOGON % KEY.encode())
    found = edition(SERVER, "", path, waits=waits)
    said, other = (found.problems, found.warnings) if waits else (found.warnings, found.problems)
    assert [(item.section, item.key) for item in said] == [("sysprep", "unattend_xml_path")]
    assert "Logon.ps1" in said[0].message
    assert other == []
    path.write_bytes(default_template())
    assert edition(SERVER, "", path, waits=waits).problems == []


def test_the_key_of_an_answer_file(tmp_path: Path) -> None:
    """Counts when the configuration gives none, which would take its place."""
    path = tmp_path / "mine.xml"
    path.write_bytes(WITHOUT_LOGON % b"N69G4-B89J2-4G8F4-WWYCC-J464C")
    first, _ = edition(SERVER, "", path).warnings
    assert "Windows Server 2019" in first.message
    assert len(edition(SERVER, KEY, path).warnings) == 1


def test_an_answer_file_that_cannot_be_read(tmp_path: Path) -> None:
    """One problem, not a traceback."""
    path = tmp_path / "mine.xml"
    path.write_bytes(b"<a>")
    (problem,) = edition(SERVER, "", path).problems
    assert problem.key == "unattend_xml_path"
