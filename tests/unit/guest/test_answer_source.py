"""Answer files of users: encodings, architectures, leftovers of Windows, commands that lack."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winimagetools.errors import RequestError
from winimagetools.guest.answer_file import (
    add_specialize_command,
    check_template,
    default_template,
    generate_unattend_xml,
    logon_problem,
    template_warnings,
)
from winimagetools.model import Architecture, WimImage, WindowsVersion

SERVER = WimImage(
    1, "Windows Server 2022 SERVERSTANDARD", Architecture.AMD64, WindowsVersion(10, 0, 20348),
    "Server", "ServerStandard",
)  # fmt: skip
NS = {"u": "urn:schemas-microsoft-com:unattend"}
DEPLOYMENT = "Microsoft-Windows-Deployment"
SHELL = "Microsoft-Windows-Shell-Setup"
DELETED = "*SENSITIVE*DATA*DELETED*"


def component(name: str, architecture: str, content: str = "") -> str:
    """One component; without the attribute when the architecture is empty."""
    attribute = f' processorArchitecture="{architecture}"' if architecture else ""
    return f'<component name="{name}"{attribute}>{content}</component>'


def settings(settings_pass: str, *components: str, attributes: str = "") -> str:
    """One pass."""
    return f'<settings pass="{settings_pass}"{attributes}>{"".join(components)}</settings>'


def answers(*passes: str, head: str = "") -> bytes:
    """An answer file."""
    body = "".join(passes)
    return f'{head}<unattend xmlns="{NS["u"]}">{body}</unattend>'.encode()


def made(xml: bytes, image: WimImage = SERVER) -> ET.Element:
    """What becomes of it in an image."""
    return ET.fromstring(generate_unattend_xml(xml, image, administrator_password="pw"))


def found(root: ET.Element) -> list[tuple[str | None, str | None, str]]:
    """Pass, architecture and text of all components."""
    return [
        (item.get("pass"), one.get("processorArchitecture"), "".join(one.itertext()).strip())
        for item in root.findall("u:settings", NS)
        for one in item.findall("u:component", NS)
    ]


def refusal(xml: bytes, folder: Path) -> RequestError:
    """The error with which a template is refused."""
    path = folder / "mine.xml"
    path.write_bytes(xml)
    with pytest.raises(RequestError) as caught:
        check_template(path)
    assert str(path) in caught.value.message
    return caught.value


# --- architectures ------------------------------------------------------------------------

SEVERAL = answers(
    settings(
        "specialize",
        *(component(DEPLOYMENT, name, f"<a>only-{name}</a>") for name in ("x86", "arm64", "amd64")),
    ),
    settings("oobeSystem", component(SHELL, "x86", "<a>x</a>"), component(SHELL, "wow64")),
)


@pytest.mark.parametrize(
    ("architecture", "kept"),
    [
        (Architecture.AMD64, [("specialize", "amd64", "only-amd64"), ("oobeSystem", "wow64", "")]),
        (Architecture.ARM64, [("specialize", "arm64", "only-arm64"), ("oobeSystem", "wow64", "")]),
        (Architecture.X86, [("specialize", "x86", "only-x86"), ("oobeSystem", "x86", "x")]),
    ],
)
def test_only_the_components_of_the_image_are_kept(
    architecture: Architecture, kept: list[tuple[str, str, str]]
) -> None:
    """No foreign command runs, no component stands twice; wow64 only where there are 64 bits."""
    image = replace(SERVER, architecture=architecture)
    assert found(made(SEVERAL, image)) == kept


def test_what_is_left_out_is_said() -> None:
    """With the number for each architecture."""
    (problem,) = template_warnings(SEVERAL, SERVER, "mine.xml")
    assert (problem.section, problem.key) == ("sysprep", "unattend_xml_path")
    assert problem.message == (
        "Components for another architecture than amd64 are left out: 1 for arm64, 2 for x86."
    )


def test_a_file_for_one_architecture_fits_every_image() -> None:
    """As the PowerShell tools take it; nothing is left out, so nothing is said."""
    xml = answers(settings("specialize", component(DEPLOYMENT, "x86"), component(SHELL, "")))
    assert [item[1] for item in found(made(xml))] == ["amd64", "amd64"]
    assert template_warnings(xml, SERVER, "mine.xml") == []
    assert template_warnings(default_template(), SERVER, "x") == []


def test_a_file_for_several_others() -> None:
    """The commonest of them is taken for the image's, which is said."""
    xml = answers(
        settings("specialize", component(SHELL, "x86"), component(SHELL, "amd64", "<a>y</a>")),
        settings("oobeSystem", component(SHELL, "amd64")),
    )
    image = replace(SERVER, architecture=Architecture.ARM64)
    assert found(made(xml, image)) == [("specialize", "arm64", "y"), ("oobeSystem", "arm64", "")]
    (problem,) = template_warnings(xml, image, "mine.xml")
    assert problem.message.endswith("1 for x86. Those for amd64 are taken for it.")


def test_components_without_an_architecture() -> None:
    """Are the image's, unless there is a better one of the same name."""
    xml = answers(
        settings("specialize", component(SHELL, ""), component(SHELL, "AMD64", "<a>y</a>")),
        settings("oobeSystem", component(SHELL, "neutral")),
    )
    assert found(made(xml)) == [("specialize", "amd64", "y"), ("oobeSystem", "amd64", "")]


def test_wow64_components_get_nothing_of_ours() -> None:
    """Commands and passwords are for the system, not for its 32-bit programs."""
    xml = answers(settings("specialize", component(DEPLOYMENT, "wow64"), component(SHELL, "amd64")))
    root = ET.fromstring(add_specialize_command(xml, "first.cmd", "x"))
    assert found(root)[0] == ("specialize", "wow64", "")
    assert found(root)[2][1] == "amd64"
    assert "first.cmd" in found(root)[2][2]


def test_a_component_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """Setup would stop; which of the two is meant only its author knows."""
    xml = answers(
        settings("specialize", component(SHELL, "amd64")),
        settings("specialize", component(SHELL, "AMD64")),
    )
    error = refusal(xml, tmp_path)
    assert f"has the component {SHELL} twice for amd64 in the pass specialize" in error.message
    assert error.option == "unattend_xml_path"


# --- what Windows leaves behind -----------------------------------------------------------

PASSWORDS = (
    f"<UserAccounts><AdministratorPassword>{DELETED}</AdministratorPassword></UserAccounts>"
    f"<AutoLogon><Password><Value>{DELETED}</Value></Password></AutoLogon>"
)
PANTHER = answers(
    settings(
        "specialize",
        component(SHELL, "amd64", f"<ProductKey>{DELETED}</ProductKey>"),
        attributes=' wasPassProcessed="true"',
    ),
    settings("oobeSystem", component(SHELL, "amd64", PASSWORDS)),
)


def test_a_file_from_panther_is_cleaned(tmp_path: Path) -> None:
    """No mark, no deleted key, the passwords of the configuration; and it is said."""
    (tmp_path / "mine.xml").write_bytes(PANTHER)
    check_template(tmp_path / "mine.xml")
    xml = generate_unattend_xml(PANTHER, SERVER, administrator_password="s3cret")
    assert b"wasPassProcessed" not in xml
    assert DELETED.encode() not in xml
    assert b"ProductKey" not in xml
    assert xml.count(b"<Value>s3cret</Value>") == 2
    marks, key = template_warnings(PANTHER, SERVER, "mine.xml")
    assert "taken from a machine that has used it" in marks.message
    assert "deleted by Windows and is left out" in key.message


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        (
            "Microsoft-Windows-UnattendedJoin",
            f"<Identification><Credentials><Password>{DELETED}</Password></Credentials>"
            "</Identification>",
            "Identification/Credentials/Password",
        ),
        (
            SHELL,
            "<UserAccounts><LocalAccounts><LocalAccount><Password>"
            f"<Value> {DELETED} </Value></Password></LocalAccount></LocalAccounts></UserAccounts>",
            "UserAccounts/LocalAccounts/LocalAccount/Password/Value",
        ),
    ],
)
def test_other_deleted_secrets_are_refused(
    tmp_path: Path, name: str, content: str, place: str
) -> None:
    """Nobody but the author knows them: the places are named."""
    error = refusal(answers(settings("specialize", component(name, "amd64", content))), tmp_path)
    assert error.message.endswith(f"has deleted what stood in {name}/{place}.")


# --- product keys -------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["<ProductKey/>", "<ProductKey> </ProductKey>"])
def test_an_empty_product_key(content: str) -> None:
    """Is left out, for Setup would stop at it, and it is said."""
    xml = answers(settings("specialize", component(SHELL, "amd64", content)))
    assert b"ProductKey" not in generate_unattend_xml(xml, SERVER)
    (problem,) = template_warnings(xml, SERVER, "mine.xml")
    assert "Setup would stop in the specialize pass" in problem.message


def test_an_empty_key_for_setup_itself() -> None:
    """It lets Setup ask, which is not run here; the file may serve both."""
    content = "<UserData><ProductKey><Key/></ProductKey></UserData>"
    xml = answers(settings("windowsPE", component("Microsoft-Windows-Setup", "amd64", content)))
    assert b"ProductKey" in generate_unattend_xml(xml, SERVER)
    assert template_warnings(xml, SERVER, "mine.xml") == []


def test_a_client_key_on_an_evaluation_edition() -> None:
    """In the answer file too; the key is not shown."""
    key = "VDYBN-27WPP-V4HQT-9VMD4-VMK7H"
    xml = answers(
        settings("specialize", component(SHELL, "amd64", f"<ProductKey>{key}</ProductKey>"))
    )
    assert template_warnings(xml, SERVER, "mine.xml") == []
    evaluation = replace(SERVER, edition_id="ServerStandardEval")
    (problem,) = template_warnings(xml, evaluation, "mine.xml")
    assert "evaluation edition" in problem.message
    assert key not in str(problem)


# --- Logon.ps1 ----------------------------------------------------------------------------

LOGON = r"powershell.exe -File %SystemDrive%\UnattendResources\Logon.ps1"


def logon(kind: str, command: str, settings_pass: str = "oobeSystem") -> bytes:
    """An answer file with one command in a list of this kind."""
    item = {"LogonCommands": "AsynchronousCommand"}.get(kind, "SynchronousCommand")
    content = f"<{kind}><{item}><CommandLine>{command}</CommandLine></{item}></{kind}>"
    return answers(settings(settings_pass, component(SHELL, "amd64", content)))


@pytest.mark.parametrize(
    "xml",
    [
        default_template(),
        logon("LogonCommands", LOGON),
        logon("FirstLogonCommands", LOGON.lower()),
        logon("LogonCommands", r"powershell C:\UnattendResources\Logon.ps1 -x"),
    ],
)
def test_files_that_start_the_logon_script(xml: bytes) -> None:
    """At the first logon, in whatever way."""
    assert logon_problem(xml, "mine.xml") is None


@pytest.mark.parametrize(
    "xml",
    [
        answers(),
        logon("LogonCommands", LOGON.replace("Logon", "FirstLogon")),
        logon("LogonCommands", "cmd /c echo hello"),
        logon("LogonCommands", LOGON, "specialize"),
        logon("OtherCommands", LOGON),
    ],
)
def test_files_that_never_start_the_logon_script(xml: bytes) -> None:
    """The build would wait for ever: a problem that names the option and the way out."""
    problem = logon_problem(xml, "mine.xml")
    assert problem is not None
    assert (problem.section, problem.key) == ("sysprep", "unattend_xml_path")
    assert problem.message.startswith("No command of the first logon in mine.xml starts Logon.ps1")
    assert "LogonCommands" in problem.hint


# --- encodings ----------------------------------------------------------------------------

OWNER = {
    "gb2312": "当前镕",
    "Shift_JIS": "日本①",
    "windows-1251": "Администратор",
    "ISO-8859-15": "€uro",
    "big5": "中文",
    "koi8-r": "Привет",
    "utf-8": "日本",
    "iso-8859-1": "Zürich",
}
CODECS = {"gb2312": "gbk", "Shift_JIS": "cp932"}


@pytest.mark.parametrize("declared", OWNER)
def test_declared_encodings_are_read(declared: str) -> None:
    """As .NET reads them: gb2312 and Shift_JIS are the larger code pages of Windows."""
    content = f"<RegisteredOwner>{OWNER[declared]}</RegisteredOwner>"
    head = f'<?xml version="1.0" encoding="{declared}"?>\r\n'
    text = answers(settings("specialize", component(SHELL, "amd64", content)), head=head).decode()
    root = made(text.encode(CODECS.get(declared, declared)))
    assert root.findtext(f".//{{{NS['u']}}}RegisteredOwner") == OWNER[declared]


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (answers(head='<?xml version="1.0" encoding="utf-16"?>'), "utf-16, but is not written in"),
        (answers(head='<?xml version="1.0" encoding="klingon"?>'), "klingon, which nobody here"),
        (answers(head='<?xml version="1.0" encoding="rot13"?>'), "rot13, which nobody here"),
        (answers(head='<?xml version="1.0" encoding="utf-7"?>'), "utf-7, which nobody here"),
        (answers(head='<?xml version="1.0" encoding="cp037"?>'), "cp037, which nobody here"),
        (answers("\n\xe4").decode().encode("latin-1"), "declares no encoding, but line 2 is not"),
        (
            answers("\xe4", head='<?xml version="1.0" encoding="utf-8"?>')
            .decode()
            .encode("cp1252"),
            "declares the encoding utf-8, but line 1 is not UTF-8",
        ),
        (
            answers(head='<?xml version="1.0" encoding="shift_jis"?>') + b"\x81",
            "declares the encoding shift_jis, but line 1 is not SHIFT_JIS",
        ),
    ],
)
def test_encodings_that_cannot_be_read(tmp_path: Path, xml: bytes, message: str) -> None:
    """Refused for that reason, with what to do."""
    error = refusal(xml, tmp_path)
    assert message in error.message
    assert error.hint == 'Save it as UTF-8 and write encoding="utf-8" in its first line.'


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_byte_order_marks_win(codec: str) -> None:
    """Files with a mark, and UTF-16 without one, need no declaration."""
    text = answers(settings("specialize", component(SHELL, "amd64", "<a>ä</a>"))).decode()
    assert found(made(text.encode(codec))) == [("specialize", "amd64", "ä")]


# --- whatever the bytes are -----------------------------------------------------------------

WHOLE = [default_template(), SEVERAL, PANTHER]


@hypothesis.settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(WHOLE),
    st.lists(st.tuples(st.integers(0, 8000), st.binary(max_size=6)), max_size=4),
    st.sampled_from([Architecture.AMD64, Architecture.X86, Architecture.ARM64]),
)
def test_any_bytes(
    xml: bytes, changes: list[tuple[int, bytes]], architecture: Architecture
) -> None:
    """Changed bytes give an answer file or one clear error, and every look agrees."""
    data = bytearray(xml)
    for at, piece in changes:
        data[at % len(data) : at % len(data) + len(piece)] = piece
    image = replace(SERVER, architecture=architecture)
    try:
        root = made(bytes(data), image)
    except RequestError as error:
        assert error.hint
        return
    assert {one for _, one, _ in found(root)} <= {architecture.value, "wow64"}
    template_warnings(bytes(data), image, "x")
    logon_problem(bytes(data), "x")
