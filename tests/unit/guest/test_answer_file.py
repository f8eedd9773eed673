"""The answer file: every rule, on our template and on a user's."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winimagetools.data import data_path
from winimagetools.errors import RequestError
from winimagetools.guest.answer_file import (
    add_driver_command,
    add_specialize_command,
    check_template,
    default_template,
    generate_unattend_xml,
    turn_on_powershell,
)
from winimagetools.guest.layout import SERVICING_COMMAND
from winimagetools.model import Architecture, WimImage, WindowsVersion

NS = {"u": "urn:schemas-microsoft-com:unattend"}
WCM_ACTION = "{http://schemas.microsoft.com/WMIConfig/2002/State}action"
KEY = "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"
NEW_OOBE = ["HideOnlineAccountScreens", "HideLocalAccountScreen", "HideOEMRegistrationScreen"]
SERVER = WimImage(
    4, "Windows Server 2022 SERVERDATACENTER", Architecture.AMD64, WindowsVersion(10, 0, 20348),
    "Server",
)  # fmt: skip
CLIENT = WimImage(6, "Windows 11 Pro", Architecture.ARM64, WindowsVersion(10, 0, 26100), "Client")

DEEP = b"<unattend xmlns='urn:schemas-microsoft-com:unattend'>%s%s</unattend>" % (
    b"<a>" * 990,
    b"</a>" * 990,
)
USER_TEMPLATE = b"""<?xml version="1.0"?>
<unattend xmlns="urn:schemas-microsoft-com:unattend">
  <!-- mine -->
  <settings pass="windowsPE">
    <component name="Microsoft-Windows-Setup" processorArchitecture="x86"
        xmlns:wcm="http://schemas.microsoft.com/WMIConfig/2002/State">
      <ImageInstall><OSImage><InstallFrom>
        <MetaData wcm:action="add"><Key>/IMAGE/INDEX</Key><Value>2</Value></MetaData>
        <MetaData wcm:action="add"><Key>/IMAGE/NAME</Key><Value>old</Value></MetaData>
      </InstallFrom></OSImage></ImageInstall>
      <UserData><AcceptEula>true</AcceptEula><ProductKey><Key>old</Key></ProductKey></UserData>
    </component>
  </settings>
  <settings pass="specialize">
    <component name="Microsoft-Windows-Shell-Setup"><ProductKey>old</ProductKey>
      <RegisteredOwner>me &amp; you</RegisteredOwner></component>
  </settings>
  <settings pass="oobeSystem">
    <component name="Microsoft-Windows-Shell-Setup">
      <UserAccounts>
        <AdministratorPassword><Value>b64</Value><PlainText>false</PlainText></AdministratorPassword>
        <LocalAccounts><LocalAccount><Name>operator</Name></LocalAccount></LocalAccounts>
      </UserAccounts>
    </component>
  </settings>
</unattend>"""


def component(root: ET.Element, settings_pass: str, name: str) -> ET.Element:
    """The one component ``name`` of a pass."""
    found = root.findall(f"u:settings[@pass='{settings_pass}']/u:component[@name='{name}']", NS)
    assert len(found) == 1
    return found[0]


def make(
    image: WimImage = SERVER, template: bytes | None = None, key: str = "", password: str = "s3cret"
) -> ET.Element:
    """The generated answer file, parsed."""
    template = default_template() if template is None else template
    return ET.fromstring(
        generate_unattend_xml(template, image, product_key=key, administrator_password=password)
    )


def shell_setup(root: ET.Element, settings_pass: str = "oobeSystem") -> ET.Element:
    """The shell component of a pass."""
    return component(root, settings_pass, "Microsoft-Windows-Shell-Setup")


def texts(element: ET.Element, path: str) -> list[str | None]:
    """Texts of all elements at ``path``, a ``/``-separated list of local names."""
    return [found.text for found in element.findall("u:" + path.replace("/", "/u:"), NS)]


@pytest.mark.parametrize("architecture", list(Architecture))
def test_every_component_has_the_architecture_of_the_image(architecture: Architecture) -> None:
    """Whatever the template says, all components are for the image's processor."""
    image = WimImage(1, "x", architecture, WindowsVersion(10, 0, 17763), "Server")
    for template in (default_template(), USER_TEMPLATE):
        components = make(image, template).findall("u:settings/u:component", NS)
        assert {item.get("processorArchitecture") for item in components} == {architecture.value}


def test_the_image_is_named() -> None:
    """The metadata name is the edition; metadata of another kind stays."""
    place = "ImageInstall/OSImage/InstallFrom/MetaData/Value"
    setup = component(make(), "windowsPE", "Microsoft-Windows-Setup")
    assert texts(setup, place) == [SERVER.name]
    setup = component(make(template=USER_TEMPLATE), "windowsPE", "Microsoft-Windows-Setup")
    assert texts(setup, place) == ["2", SERVER.name]


@pytest.mark.parametrize(
    ("version", "kept"),
    [
        ((6, 0, 6003), False),
        ((6, 1, 7601), False),
        ((6, 2, 9200), True),
        ((6, 3, 9600), True),
        ((10, 0, 14393), True),
        ((10, 0, 26100), True),
    ],
)
def test_three_settings_only_from_windows_8_on(version: tuple[int, int, int], kept: bool) -> None:
    """Windows 7 and older do not know them; Windows 10 and later do."""
    image = WimImage(1, "x", Architecture.AMD64, WindowsVersion(*version), "Server")
    oobe = shell_setup(make(image)).find("u:OOBE", NS)
    assert oobe is not None
    for name in NEW_OOBE:
        assert texts(oobe, name) == (["true"] if kept else [])
    assert texts(oobe, "HideEULAPage") == ["true"]


@pytest.mark.parametrize(
    ("version", "kept"),
    [
        ((6, 0, 6003), True),
        ((6, 1, 7601), True),
        ((6, 3, 9600), True),
        ((10, 0, 10240), False),
        ((10, 0, 26100), False),
    ],
)
def test_two_settings_only_until_windows_8_1(version: tuple[int, int, int], kept: bool) -> None:
    """Font smoothing is unknown since Windows 10 1709, the network location is deprecated."""
    image = WimImage(1, "x", Architecture.AMD64, WindowsVersion(*version), "Server")
    shell = shell_setup(make(image))
    assert texts(shell, "VisualEffects/FontSmoothing") == (["ClearType"] if kept else [])
    assert (shell.find("u:VisualEffects", NS) is not None) is kept
    assert texts(shell, "OOBE/NetworkLocation") == (["Work"] if kept else [])
    assert texts(shell, "OOBE/ProtectYourPC") == ["3"]


def test_the_password_is_in_both_places() -> None:
    """Account and automatic logon have it as plain text, special characters intact."""
    shell = shell_setup(make(password='a<b>&"c'))
    for place in ("UserAccounts/AdministratorPassword", "AutoLogon/Password"):
        assert texts(shell, f"{place}/Value") == ['a<b>&"c']
        assert texts(shell, f"{place}/PlainText") == ["true"]


def test_the_password_replaces_an_encoded_one() -> None:
    """``PlainText`` false of a user's template does not survive."""
    shell = shell_setup(make(template=USER_TEMPLATE))
    assert texts(shell, "UserAccounts/AdministratorPassword/Value") == ["s3cret"]
    assert texts(shell, "UserAccounts/AdministratorPassword/PlainText") == ["true"]


def test_client_editions_get_a_local_account() -> None:
    """Account Admin in Administrators, with the action Setup asks for."""
    accounts = shell_setup(make(CLIENT)).findall(
        "u:UserAccounts/u:LocalAccounts/u:LocalAccount", NS
    )
    assert [account.get(WCM_ACTION) for account in accounts] == ["add"]
    assert texts(accounts[0], "Name") == ["Admin"]
    assert texts(accounts[0], "DisplayName") == ["Admin"]
    assert texts(accounts[0], "Group") == ["Administrators"]


@pytest.mark.parametrize("kind", ["Server", "Server Core", ""])
def test_servers_get_no_local_account(kind: str) -> None:
    """Only the installation type Client adds one."""
    image = WimImage(1, "x", Architecture.AMD64, WindowsVersion(10, 0, 17763), kind)
    assert shell_setup(make(image)).findall(".//u:LocalAccount", NS) == []


def test_local_accounts_of_the_user_stay_alone() -> None:
    """A template with accounts of its own gets no other."""
    shell = shell_setup(make(CLIENT, USER_TEMPLATE))
    assert texts(shell, "UserAccounts/LocalAccounts/LocalAccount/Name") == ["operator"]


@pytest.mark.parametrize("template", [None, USER_TEMPLATE], ids=["ours", "theirs"])
def test_the_product_key_is_in_both_places(template: bytes | None) -> None:
    """Setup's user data and the specialize pass have it once, in front, as the only one."""
    root = make(template=template, key=KEY)
    user_data = component(root, "windowsPE", "Microsoft-Windows-Setup").find("u:UserData", NS)
    assert user_data is not None
    assert user_data[0].tag.endswith("}ProductKey")
    assert texts(user_data, "ProductKey/Key") == [KEY]
    assert texts(user_data, "ProductKey/WillShowUI") == ["OnError"]
    specialize = shell_setup(root, "specialize")
    assert specialize[0].tag.endswith("}ProductKey")
    assert texts(specialize, "ProductKey") == [KEY]
    assert texts(shell_setup(root), "ProductKey") == []


def test_without_a_key_there_is_none() -> None:
    """Our template brings no product key; a user's stays as it is."""
    assert make().findall(".//u:ProductKey", NS) == []
    assert texts(shell_setup(make(template=USER_TEMPLATE), "specialize"), "ProductKey") == ["old"]


@pytest.mark.parametrize("key", ["AAAAA", KEY + "F", KEY.replace("-", " "), KEY[:-1] + " "])
def test_a_key_of_another_form_is_refused_and_not_shown(key: str) -> None:
    """The message must not give the key away."""
    with pytest.raises(RequestError) as caught:
        make(key=key)
    assert key not in str(caught.value)


def test_comments_are_removed_and_text_stays() -> None:
    """What the user wrote is otherwise kept."""
    xml = generate_unattend_xml(USER_TEMPLATE, SERVER).decode()
    assert "<!--" not in xml
    assert "me &amp; you" in xml


def test_the_file_is_utf8_with_readable_prefixes() -> None:
    """Declaration, default namespace and the prefix wcm, as people expect to read them."""
    image = WimImage(1, "Windows Ä", Architecture.X86, WindowsVersion(6, 1), "Client")
    xml = generate_unattend_xml(default_template(), image)
    assert xml.startswith(b'<?xml version="1.0" encoding="utf-8"?>\n<unattend xmlns=')
    assert "<Value>Windows Ä</Value>".encode() in xml
    assert b'wcm:action="add"' in xml
    assert b"ns0:" not in xml


def test_our_template_sets_what_the_scripts_need() -> None:
    """Remote desktop, firewall, time zone, name, customer experience and the three scripts."""
    root = make()
    sessions = "Microsoft-Windows-TerminalServices-LocalSessionManager"
    assert texts(component(root, "specialize", sessions), "fDenyTSConnections") == ["false"]
    firewall = component(root, "specialize", "Networking-MPSSVC-Svc")
    assert texts(firewall, "FirewallGroups/FirewallGroup/Group") == ["@FirewallAPI.dll,-28752"]
    assert texts(shell_setup(root, "specialize"), "TimeZone") == ["UTC"]
    assert texts(shell_setup(root, "specialize"), "ComputerName") == ["*"]
    sqm = component(root, "specialize", "Microsoft-Windows-SQMApi")
    assert texts(sqm, "CEIPEnabled") == ["0"]
    deployment = component(root, "specialize", "Microsoft-Windows-Deployment")
    shell = shell_setup(root)
    commands = (
        texts(deployment, "RunSynchronous/RunSynchronousCommand/Path")
        + texts(shell, "FirstLogonCommands/SynchronousCommand/CommandLine")
        + texts(shell, "LogonCommands/AsynchronousCommand/CommandLine")
    )
    scripts = [re.search(r"-File (\S+)$", command or "") for command in commands]
    folder = r"%SystemDrive%\UnattendResources"
    assert [match and match[1] for match in scripts] == [
        rf"{folder}\{name}.ps1" for name in ("Specialize", "FirstLogon", "Logon")
    ]
    assert texts(shell, "AutoLogon/Username") == ["Administrator"]
    # Windows counts one more: 51 logons, more than updates need restarts.
    assert texts(shell, "AutoLogon/LogonCount") == ["50"]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (b"<unattend>\n  <a>\n</unattend>", "mine.xml is not well-formed XML: line 3, column 3"),
        (b"", "mine.xml is not well-formed XML: line 1"),
        (b"<html/>", "mine.xml is XML, but not an answer file"),
        (b"<unattend/>", "not an answer file"),
        (b"<a>" * 200 + b"</a>" * 200, "mine.xml is XML, but not an answer file"),
        (DEEP, "mine.xml has more than 100 elements in each other"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "mine.xml cannot be read"),
        (b'<?xml version="1.0" encoding="none"?><a/>', "mine.xml"),
    ],
)
def test_a_broken_template_is_one_clear_error(template: bytes, message: str) -> None:
    """File and line are named."""
    with pytest.raises(RequestError) as caught:
        generate_unattend_xml(template, SERVER, name="mine.xml")
    assert message in str(caught.value)


def test_a_template_in_utf16_is_read() -> None:
    """Notepad's Unicode files work."""
    text = USER_TEMPLATE.decode().replace('version="1.0"', 'version="1.0" encoding="utf-16"')
    assert generate_unattend_xml(text.encode("utf-16"), SERVER) == generate_unattend_xml(
        USER_TEMPLATE, SERVER
    )


def commands_of(xml: bytes) -> list[tuple[str | None, str | None]]:
    """Order and command line of all specialize commands, in file order."""
    deployment = component(ET.fromstring(xml), "specialize", "Microsoft-Windows-Deployment")
    place = "RunSynchronous/RunSynchronousCommand"
    orders, paths = texts(deployment, f"{place}/Order"), texts(deployment, f"{place}/Path")
    return list(zip(orders, paths, strict=True))


def test_a_specialize_command_goes_first() -> None:
    """The others move back by one."""
    xml = generate_unattend_xml(default_template(), SERVER)
    (before,) = commands_of(xml)
    after = commands_of(add_specialize_command(xml, "first.cmd", "Drivers"))
    assert after == [("1", "first.cmd"), ("2", before[1])]


@pytest.mark.parametrize(
    "xml", [USER_TEMPLATE, b'<unattend xmlns="urn:schemas-microsoft-com:unattend"/>']
)
def test_a_specialize_command_makes_the_place_it_needs(xml: bytes) -> None:
    """A missing pass and component are made, for the architecture of the others."""
    xml = add_specialize_command(xml, "first.cmd", "Drivers")
    assert commands_of(xml) == [("1", "first.cmd")]
    deployment = component(ET.fromstring(xml), "specialize", "Microsoft-Windows-Deployment")
    wanted = "x86" if b"Microsoft-Windows-Setup" in xml else "amd64"
    assert deployment.get("processorArchitecture") == wanted
    assert deployment.get("publicKeyToken") == "31bf3856ad364e35"


COMMANDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)


@settings(max_examples=50, deadline=None)
@given(st.lists(COMMANDS, max_size=4))
def test_adding_commands_is_idempotent_and_keeps_orders_apart(commands: list[str]) -> None:
    """However many are added: orders are 1..n, each command once, the later ones first."""
    xml = generate_unattend_xml(default_template(), SERVER)
    for command in commands:
        xml = add_specialize_command(xml, command, "x")
        assert add_specialize_command(xml, command, "x") == xml
    found = commands_of(xml)
    assert [order for order, _ in found] == [str(n + 1) for n in range(len(found))]
    assert [path for _, path in found][:-1] == list(dict.fromkeys(commands))[::-1]


def test_an_order_of_thousands_of_digits() -> None:
    """Is none, and the command still runs after the new one."""
    xml = generate_unattend_xml(default_template(), SERVER)
    xml = xml.replace(b"<Order>1</Order>", b"<Order>" + b"9" * 5000 + b"</Order>")
    assert [order for order, _ in commands_of(add_specialize_command(xml, "a", "x"))] == ["1", "2"]


@pytest.mark.parametrize("password", ["a\x01b", "a\ud800", "a\nb", "a\rb", "a\uffff"])
def test_a_password_xml_cannot_hold(password: str) -> None:
    """Refused with the option, not repeated."""
    with pytest.raises(RequestError) as caught:
        make(password=password)
    assert caught.value.option == "administrator_password"
    assert password not in str(caught.value)


def test_passwords_xml_can_hold() -> None:
    """Anything that can be typed."""
    for password in ("", " a\tb ", "<&]]>'\"", "\x7f\x85", "\U0001f511"):
        assert texts(shell_setup(make(password=password)), "AutoLogon/Password/Value") == [
            password or None
        ]


def test_a_command_windows_would_refuse_is_refused() -> None:
    """259 characters are the limit."""
    xml = default_template()
    assert add_specialize_command(xml, "x" * 259, "") != xml
    with pytest.raises(RequestError, match="260"):
        add_specialize_command(xml, "x" * 260, "")


def logon_commands(xml: bytes) -> list[tuple[str | None, str | None]]:
    """Order and command line of what runs at the first logon, as they stand in the file."""
    root = ET.fromstring(xml)
    found = root.findall(".//u:FirstLogonCommands/u:SynchronousCommand", NS)
    assert all(item.get(WCM_ACTION) == "add" for item in found)
    return [
        (item.findtext("u:Order", namespaces=NS), item.findtext("u:CommandLine", namespaces=NS))
        for item in found
    ]


CORE_2008_R2 = WimImage(
    2, "Windows Server 2008 R2 SERVERSTANDARDCORE", Architecture.AMD64,
    WindowsVersion(6, 1, 7601), "Server Core",
)  # fmt: skip


def test_powershell_is_turned_on_before_anything_needs_it() -> None:
    """No script in the specialize pass; features first at the first logon; a restart if need be."""
    xml = turn_on_powershell(generate_unattend_xml(default_template(), CORE_2008_R2))
    assert commands_of(xml) == []
    (first, second, last) = logon_commands(xml)
    assert first == ("1", SERVICING_COMMAND)
    assert second[0] == "2"
    assert str(second[1]).endswith("FirstLogon.ps1")
    assert last[0] == "3"
    assert re.search(r"if not exist \S+powershell\.exe \S+shutdown\.exe /r", str(last[1]))


def test_other_commands_of_a_user_stay() -> None:
    """Only what starts PowerShell in the specialize pass is left out."""
    xml = generate_unattend_xml(default_template(), CORE_2008_R2)
    xml = add_specialize_command(xml, "reg.exe add HKLM\\x", "mine")
    assert commands_of(turn_on_powershell(xml)) == [("1", "reg.exe add HKLM\\x")]
    xml = add_specialize_command(xml, "second.cmd", "mine too")
    kept = [path for _, path in commands_of(turn_on_powershell(xml))]
    assert kept == ["second.cmd", "reg.exe add HKLM\\x"]


@pytest.mark.parametrize(
    "xml", [USER_TEMPLATE, b'<unattend xmlns="urn:schemas-microsoft-com:unattend"/>']
)
def test_powershell_without_first_logon_commands(xml: bytes) -> None:
    """The list is made where a user's answer file has none."""
    assert [order for order, _ in logon_commands(turn_on_powershell(xml))] == ["1", "2"]


def test_drivers_come_when_there_is_powershell() -> None:
    """In the specialize pass, or after PowerShell was turned on; once, however often asked."""
    xml = generate_unattend_xml(default_template(), CORE_2008_R2)
    early = add_driver_command(add_driver_command(xml, "install.cmd", "x"), "install.cmd", "x")
    assert commands_of(early)[0] == ("1", "install.cmd")
    assert [path for _, path in commands_of(early)].count("install.cmd") == 1
    late = add_driver_command(turn_on_powershell(xml), "install.cmd", "x")
    late = add_driver_command(late, "install.cmd", "x")
    assert commands_of(late) == []
    assert logon_commands(late)[:2] == [("1", SERVICING_COMMAND), ("2", "install.cmd")]
    assert [order for order, _ in logon_commands(late)] == ["1", "2", "3", "4"]


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """An ISO that was meant for another option is not read whole."""
    path = tmp_path / "x.xml"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(RequestError, match="has 1099511627776 bytes; that is no answer file"):
        check_template(path)


def test_the_guest_takes_the_account_away_that_was_made() -> None:
    """Accounts.ps1 knows the account of client editions by the name and description it gets."""
    script = data_path("guest/lib/Accounts.ps1").read_text(encoding="utf-8")
    root = ET.fromstring(generate_unattend_xml(default_template(), CLIENT))
    (account,) = root.findall(".//u:LocalAccount", NS)
    for field in ("Name", "Description"):
        assert f'$buildAccount{field} = "{account.findtext(f"u:{field}", "", NS)}"' in script
