"""The answer file: the template of this project or the user's, made to fit one image."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from winimagetools.data import UNATTEND_TEMPLATE, data_path
from winimagetools.errors import RequestError
from winimagetools.facts.architecture import NAMES
from winimagetools.facts.product_key import DEFAULT_KMS_KEY, is_product_key
from winimagetools.facts.releases import FIRST_START_SCREENS
from winimagetools.guest.layout import SERVICING_COMMAND
from winimagetools.model import WimImage

TEMPLATE_NAME = UNATTEND_TEMPLATE
NAMESPACE = "urn:schemas-microsoft-com:unattend"
WCM = "http://schemas.microsoft.com/WMIConfig/2002/State"
LONGEST_COMMAND = 259
"""Characters Windows accepts in the ``Path`` of a RunSynchronousCommand."""
_POWERSHELL = r"%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe"
_RESTART_WITHOUT_POWERSHELL = (
    rf"%SystemRoot%\System32\cmd.exe /c if not exist {_POWERSHELL} "
    r"%SystemRoot%\System32\shutdown.exe /r /f /t 0"
)
_SHELL_SETUP = "Microsoft-Windows-Shell-Setup"
_DEPLOYMENT = "Microsoft-Windows-Deployment"
_SETTINGS_FROM_WINDOWS_8 = (
    "HideOnlineAccountScreens",
    "HideLocalAccountScreen",
    "HideOEMRegistrationScreen",
)
_LOCAL_ACCOUNT = {
    "Description": "Local administrator",
    "DisplayName": "Admin",
    "Group": "Administrators",
    "Name": "Admin",
}
_COMPONENT_ATTRIBUTES = {
    "publicKeyToken": "31bf3856ad364e35",
    "language": "neutral",
    "versionScope": "nonSxS",
}

for _prefix, _uri in {
    "": NAMESPACE,
    "wcm": WCM,
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "cpi": "urn:schemas-microsoft-com:cpi",
}.items():
    ET.register_namespace(_prefix, _uri)


def default_template() -> bytes:
    """The answer file template of this project."""
    return data_path(TEMPLATE_NAME).read_bytes()


def generate_unattend_xml(
    template: bytes,
    image: WimImage,
    *,
    product_key: str = "",
    administrator_password: str = "",
    name: str = TEMPLATE_NAME,
) -> bytes:
    """The answer file for one image. Port of ``Generate-UnattendXml``.

    Args:
        template: an answer file, the user's or :func:`default_template`.
        image: the edition it is for.
        product_key: 25 characters in groups of five; empty for none.
        administrator_password: for the first logon, until the image is generalized.
        name: the template's file name, for messages.

    Raises:
        RequestError: the template cannot be read, or the key has another form.
    """
    if product_key and not is_product_key(product_key):
        raise RequestError(
            "The product key is not five groups of five characters.",
            "It looks like XXXXX-XXXXX-XXXXX-XXXXX-XXXXX; "
            f"{DEFAULT_KMS_KEY} stands for a public one.",
        )
    root = _parse(template, name)
    transform(root, image, product_key, administrator_password)
    return _serialize(root)


def check_template(path: Path) -> None:
    """Refuse a file that is no answer file.

    Raises:
        RequestError: saying why.
    """
    _parse(path.read_bytes(), str(path))


def transform(
    root: ET.Element, image: WimImage, product_key: str, administrator_password: str
) -> None:
    """Fill an answer file in. Port of ``Transform-Xml``.

    The rules are those of the PowerShell tools' style sheet, except where it is not what
    their users mean: it takes three settings of the first-start dialogue away from Windows 10 and
    later too, because it compares the minor version alone, and it would put a second
    product key beside one that is there.
    """
    for component in root.iterfind(_path("settings", "component")):
        component.set("processorArchitecture", NAMES[image.architecture].unattend)
    _set_image_name(root, image.name)
    if not FIRST_START_SCREENS.is_in(image.version):
        _remove_new_settings(root)
    _set_passwords(root, administrator_password)
    if image.installation_type.casefold() == "client":
        _add_local_account(root)
    if product_key:
        _set_product_key(root, product_key)


def add_specialize_command(xml: bytes, command: str, description: str) -> bytes:
    """Let ``command`` run before all others of the specialize pass.

    An answer file that has the command already stays as it is. Of two that are added one
    after the other the later one runs first.

    Args:
        xml: an answer file.
        command: command line, at most :data:`LONGEST_COMMAND` characters.
        description: what it does, shown while it runs.

    Raises:
        RequestError: the command is too long or the answer file cannot be read.
    """
    if len(command) > LONGEST_COMMAND:
        raise RequestError(
            f"Windows does not run specialize commands longer than {LONGEST_COMMAND} "
            f"characters, but this one has {len(command)}: {command}",
            "Put it into a script and run that.",
        )
    root = _parse(xml, "Unattend.xml")
    commands = _list(root, "specialize", _DEPLOYMENT, "RunSynchronous")
    if not _insert(commands, 0, description, command):
        return xml
    return _serialize(root)


def turn_on_powershell(xml: bytes) -> bytes:
    """Let the guest turn PowerShell on at its first logon, before anything needs it.

    For a Windows whose features cannot be enabled offline. Commands of the specialize pass
    that start PowerShell are left out: Setup stops at one it cannot start.

    Args:
        xml: an answer file.
    """
    root = _parse(xml, "Unattend.xml")
    for component in _components(root, _DEPLOYMENT, "specialize"):
        for commands in component.findall(_tag("RunSynchronous")):
            for element in commands.findall(_tag("RunSynchronousCommand")):
                if "powershell" in _text(element, "Path").casefold():
                    commands.remove(element)
            if not len(commands):
                component.remove(commands)
    commands = _first_logon_commands(root)
    _insert(commands, 0, "Turn PowerShell on", SERVICING_COMMAND)
    _insert(commands, len(commands), "Restart for PowerShell", _RESTART_WITHOUT_POWERSHELL)
    return _serialize(root)


def add_driver_command(xml: bytes, command: str, description: str) -> bytes:
    """Let a command that installs drivers run as early as it can.

    In the specialize pass, see :func:`add_specialize_command`, or once PowerShell is on
    where :func:`turn_on_powershell` was used: the command needs it, lest Windows ask
    whether to trust the maker of a driver.
    """
    root = _parse(xml, "Unattend.xml")
    commands = _first_logon_commands(root)
    if not any(_text(element, "CommandLine") == SERVICING_COMMAND for element in commands):
        return add_specialize_command(xml, command, description)
    _insert(commands, 1, description, command)
    return _serialize(root)


def _parse(xml: bytes, name: str) -> ET.Element:
    try:
        root: ET.Element = defusedxml.ElementTree.fromstring(xml, forbid_dtd=True)
    except ET.ParseError as error:
        line, column = error.position
        raise RequestError(
            f"The answer file {name} is not well-formed XML: line {line}, column {column + 1}: "
            f"{str(error).partition(':')[0]}.",
            "Correct it there, or leave unattend_xml_path at its default.",
        ) from error
    except (DefusedXmlException, LookupError, ValueError) as error:
        raise RequestError(
            f"The answer file {name} cannot be read: {error}",
            "It must be plain XML without document type and entities.",
        ) from error
    if root.tag != _tag("unattend"):
        raise RequestError(
            f"{name} is XML, but not an answer file.",
            f"Its outermost element has to be unattend in the namespace {NAMESPACE}.",
        )
    return root


def _serialize(root: ET.Element) -> bytes:
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _path(*names: str) -> str:
    return "/".join(_tag(name) for name in names)


def _text(element: ET.Element, name: str) -> str:
    return (element.findtext(_tag(name)) or "").strip()


def _append(parent: ET.Element, name: str, text: str = "") -> ET.Element:
    child = ET.SubElement(parent, _tag(name))
    child.text = text or None
    return child


def _components(root: ET.Element, name: str, settings_pass: str = "") -> Iterator[ET.Element]:
    """Components called ``name`` in all passes, or in one."""
    for settings in root.iterfind(_tag("settings")):
        if settings_pass in ("", settings.get("pass")):
            yield from (
                component
                for component in settings.iterfind(_tag("component"))
                if component.get("name") == name
            )


def _set_image_name(root: ET.Element, image_name: str) -> None:
    place = _path("ImageInstall", "OSImage", "InstallFrom", "MetaData")
    for component in _components(root, "Microsoft-Windows-Setup"):
        for metadata in component.iterfind(place):
            value = metadata.find(_tag("Value"))
            if value is not None and _text(metadata, "Key").upper() in ("", "/IMAGE/NAME"):
                value.text = image_name


def _remove_new_settings(root: ET.Element) -> None:
    for component in _components(root, _SHELL_SETUP):
        for oobe in component.iterfind(_tag("OOBE")):
            for name in _SETTINGS_FROM_WINDOWS_8:
                for element in oobe.findall(_tag(name)):
                    oobe.remove(element)


def _set_passwords(root: ET.Element, password: str) -> None:
    for component in _components(root, _SHELL_SETUP):
        for place in (
            _path("UserAccounts", "AdministratorPassword"),
            _path("AutoLogon", "Password"),
        ):
            for element in component.iterfind(place):
                element[:] = []
                element.text = None
                _append(element, "Value", password)
                _append(element, "PlainText", "true")


def _add_local_account(root: ET.Element) -> None:
    """Client editions do not finish their first start without a local account."""
    for component in _components(root, _SHELL_SETUP):
        for accounts in component.iterfind(_tag("UserAccounts")):
            if accounts.find(_tag("LocalAccounts")) is None:
                account = ET.SubElement(
                    _append(accounts, "LocalAccounts"),
                    _tag("LocalAccount"),
                    {f"{{{WCM}}}action": "add"},
                )
                for name, text in _LOCAL_ACCOUNT.items():
                    _append(account, name, text)


def _set_product_key(root: ET.Element, product_key: str) -> None:
    for component in _components(root, "Microsoft-Windows-Setup"):
        for user_data in component.iterfind(_tag("UserData")):
            element = _replace_first(user_data, "ProductKey")
            _append(element, "Key", product_key)
            _append(element, "WillShowUI", "OnError")
    for component in _components(root, _SHELL_SETUP, "specialize"):
        _replace_first(component, "ProductKey").text = product_key


def _replace_first(parent: ET.Element, name: str) -> ET.Element:
    """An empty child ``name`` at the front, in place of those that were there."""
    for old in parent.findall(_tag(name)):
        parent.remove(old)
    new = ET.Element(_tag(name))
    parent.insert(0, new)
    return new


def _first_logon_commands(root: ET.Element) -> ET.Element:
    return _list(root, "oobeSystem", _SHELL_SETUP, "FirstLogonCommands")


def _list(root: ET.Element, settings_pass: str, component_name: str, name: str) -> ET.Element:
    """A list of commands, made with everything above it where missing."""
    component = next(_components(root, component_name, settings_pass), None)
    if component is None:
        component = _add_component(root, settings_pass, component_name)
    found = component.find(_tag(name))
    return _append(component, name) if found is None else found


def _insert(commands: ET.Element, index: int, description: str, command: str) -> bool:
    """Put a command into a list at a place, unless it is there; whether it was put."""
    kind, field = _COMMAND_FIELDS[commands.tag]
    if any(_text(element, field) == command for element in commands):
        return False
    new = ET.Element(_tag(kind), {f"{{{WCM}}}action": "add"})
    _append(new, "Order")
    _append(new, "Description", description)
    _append(new, field, command)
    commands[:] = sorted(commands, key=_order)
    commands.insert(index, new)
    for number, element in enumerate(commands, 1):
        order = element.find(_tag("Order"))
        if order is not None:
            order.text = str(number)
    return True


_COMMAND_FIELDS = {
    _tag("RunSynchronous"): ("RunSynchronousCommand", "Path"),
    _tag("FirstLogonCommands"): ("SynchronousCommand", "CommandLine"),
}


def _order(element: ET.Element) -> int:
    text = _text(element, "Order")
    return int(text) if text.isdecimal() else 0


def _add_component(root: ET.Element, settings_pass: str, name: str) -> ET.Element:
    architectures = (
        component.get("processorArchitecture")
        for component in root.iterfind(_path("settings", "component"))
    )
    architecture = next((name for name in architectures if name), "amd64")
    passes = root.iterfind(_tag("settings"))
    settings = next((item for item in passes if item.get("pass") == settings_pass), None)
    if settings is None:
        settings = ET.SubElement(root, _tag("settings"), {"pass": settings_pass})
    return ET.SubElement(
        settings,
        _tag("component"),
        {"name": name, "processorArchitecture": architecture, **_COMPONENT_ATTRIBUTES},
    )
