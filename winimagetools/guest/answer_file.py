"""The answer file: the template of this project or the user's, made to fit one image."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from winimagetools.data import UNATTEND_TEMPLATE, data_path
from winimagetools.errors import Problem, RequestError
from winimagetools.facts.architecture import NAMES
from winimagetools.facts.key_check import key_problems
from winimagetools.facts.product_key import DEFAULT_KMS_KEY, is_product_key
from winimagetools.facts.releases import FIRST_START_SCREENS, WITHOUT_OLD_SETTINGS
from winimagetools.files.whole import read_whole
from winimagetools.guest.answer_source import check_source, clean, keep_architecture
from winimagetools.guest.answer_xml import (
    WCM,
    WOW64,
    append,
    architecture_of,
    components,
    parse,
    place,
    serialize,
    tag,
    text_of,
)
from winimagetools.guest.layout import SERVICING_COMMAND
from winimagetools.model import WimImage

TEMPLATE_NAME = UNATTEND_TEMPLATE
LARGEST = 8 * 1024 * 1024
"""Bytes; answer files have some ten kilobytes."""
LONGEST_COMMAND = 259
"""Characters Windows accepts in the ``Path`` of a RunSynchronousCommand."""
_POWERSHELL = r"%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe"
_RESTART_WITHOUT_POWERSHELL = (
    rf"%SystemRoot%\System32\cmd.exe /c if not exist {_POWERSHELL} "
    r"%SystemRoot%\System32\shutdown.exe /r /f /t 0"
)
_LOGON_SCRIPT = re.compile(r"(?<![a-z])logon\.ps1", re.IGNORECASE)
_NOT_IN_XML = re.compile("[\x00-\x08\n\x0b-\x1f\ud800-\udfff\ufffe\uffff]")
_SHELL_SETUP = "Microsoft-Windows-Shell-Setup"
_DEPLOYMENT = "Microsoft-Windows-Deployment"
_SETTINGS_FROM_WINDOWS_8 = (
    "HideOnlineAccountScreens",
    "HideLocalAccountScreen",
    "HideOEMRegistrationScreen",
)
_SETTINGS_UNTIL_WINDOWS_8_1 = (("VisualEffects", "FontSmoothing"), ("OOBE", "NetworkLocation"))
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
        RequestError: the template cannot be read or used, the key has another form, or a
            value cannot stand in XML.
    """
    check_text("administrator_password", administrator_password)
    if product_key and not is_product_key(product_key):
        raise RequestError(
            "The product key is not five groups of five characters.",
            "It looks like XXXXX-XXXXX-XXXXX-XXXXX-XXXXX; "
            f"{DEFAULT_KMS_KEY} stands for a public one.",
        )
    root = parse(template, name)
    transform(root, image, product_key, administrator_password)
    return serialize(root)


def check_template(path: Path) -> None:
    """Refuse a file that is no answer file or that no image can use.

    Raises:
        RequestError: saying why.
    """
    size = path.stat().st_size
    if size > LARGEST:
        raise RequestError(
            f"{path} has {size} bytes; that is no answer file.", "Check unattend_xml_path."
        )
    root = parse(read_whole(path), str(path))
    check_source(root, str(path))


def template_warnings(
    template: bytes, image: WimImage, name: str, *, product_key: str = ""
) -> list[Problem]:
    """What is left out of the user's answer file for one image, and what Windows does with it.

    Args:
        template: the user's answer file, which :func:`check_template` has nothing against.
        image: the edition it is for.
        name: what messages call it.
        product_key: what takes the place of a key in the file; empty for none.
    """
    root = parse(template, name)
    foreign = keep_architecture(root, NAMES[image.architecture].unattend)
    cleaned = clean(root)
    problems = [_about(message, hint) for message, hint in (*foreign, *cleaned)]
    if product_key:
        _set_product_key(root, product_key)
    keys = {key for key in _product_keys(root) if is_product_key(key)} - {product_key}
    for key in sorted(keys):
        for problem in key_problems(image, key):
            message = f"The answer file has a product key. {problem.message}"
            problems.append(_about(message, "Take it out, or set product_key, which replaces it."))
    return problems


def logon_problem(template: bytes, name: str) -> Problem | None:
    """A problem when no command of the first logon starts ``Logon.ps1``, which finishes the image.

    The workflows that run the image wait for what it reports, and without it an image is
    neither updated nor generalized.

    Args:
        template: the user's answer file.
        name: what messages call it.
    """
    root = parse(template, name)
    lists = ("FirstLogonCommands/SynchronousCommand", "LogonCommands/AsynchronousCommand")
    for component in components(root, _SHELL_SETUP, "oobeSystem"):
        for parts in (names.split("/") for names in lists):
            for command in component.iterfind(place(*parts)):
                if _LOGON_SCRIPT.search(text_of(command, "CommandLine")):
                    return None
    return _about(
        f"No command of the first logon in {name} starts Logon.ps1, so nothing would finish the "
        "image: no updates, no Cloudbase-Init, no sysprep.",
        r"Add a LogonCommands entry that runs %SystemDrive%\UnattendResources\Logon.ps1 as the "
        f"template of these tools has it, or leave unattend_xml_path at {TEMPLATE_NAME}.",
    )


def check_text(option: str, value: str) -> None:
    """Refuse a value that XML cannot hold.

    Args:
        option: where it comes from.
        value: it is not repeated in the message.

    Raises:
        RequestError: it has a control character, a line break or half a character.
    """
    if _NOT_IN_XML.search(value):
        raise RequestError(
            f"The value of {option} has a character that cannot stand in an answer file: a "
            "control character, a line break or half a character.",
            "Give one that can be typed.",
            option,
        )


def _about(message: str, hint: str) -> Problem:
    return Problem(message, hint, "sysprep", "unattend_xml_path")


def _product_keys(root: ET.Element) -> Iterator[str]:
    for component in root.iterfind(place("settings", "component")):
        for element in component.iter(tag("ProductKey")):
            yield (element.text or "").strip() or text_of(element, "Key")


def transform(
    root: ET.Element, image: WimImage, product_key: str, administrator_password: str
) -> None:
    """Fill an answer file in. Port of ``Transform-Xml``.

    The rules are those of the PowerShell tools' style sheet, except where it is not what
    their users mean: it takes three settings of the first-start dialogue away from Windows 10 and
    later too, because it compares the minor version alone, and it would put a second
    product key beside one that is there.
    """
    keep_architecture(root, NAMES[image.architecture].unattend)
    clean(root)
    _set_image_name(root, image.name)
    if not FIRST_START_SCREENS.is_in(image.version):
        _remove_new_settings(root)
    if WITHOUT_OLD_SETTINGS.is_in(image.version):
        _remove_old_settings(root)
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
    root = parse(xml, "Unattend.xml")
    commands = _list(root, "specialize", _DEPLOYMENT, "RunSynchronous")
    if not _insert(commands, 0, description, command):
        return xml
    return serialize(root)


def turn_on_powershell(xml: bytes) -> bytes:
    """Let the guest turn PowerShell on at its first logon, before anything needs it.

    For a Windows whose features cannot be enabled offline. Commands of the specialize pass
    that start PowerShell are left out: Setup stops at one it cannot start.

    Args:
        xml: an answer file.
    """
    root = parse(xml, "Unattend.xml")
    for component in components(root, _DEPLOYMENT, "specialize"):
        for commands in component.findall(tag("RunSynchronous")):
            for element in commands.findall(tag("RunSynchronousCommand")):
                if "powershell" in text_of(element, "Path").casefold():
                    commands.remove(element)
            if not len(commands):
                component.remove(commands)
    commands = _first_logon_commands(root)
    _insert(commands, 0, "Turn PowerShell on", SERVICING_COMMAND)
    _insert(commands, len(commands), "Restart for PowerShell", _RESTART_WITHOUT_POWERSHELL)
    return serialize(root)


def add_driver_command(xml: bytes, command: str, description: str) -> bytes:
    """Let a command that installs drivers run as early as it can.

    In the specialize pass, see :func:`add_specialize_command`, or once PowerShell is on
    where :func:`turn_on_powershell` was used: the command needs it, lest Windows ask
    whether to trust the maker of a driver.
    """
    root = parse(xml, "Unattend.xml")
    commands = _first_logon_commands(root)
    if not any(text_of(element, "CommandLine") == SERVICING_COMMAND for element in commands):
        return add_specialize_command(xml, command, description)
    _insert(commands, 1, description, command)
    return serialize(root)


def _set_image_name(root: ET.Element, image_name: str) -> None:
    where = place("ImageInstall", "OSImage", "InstallFrom", "MetaData")
    for component in components(root, "Microsoft-Windows-Setup"):
        for metadata in component.iterfind(where):
            value = metadata.find(tag("Value"))
            if value is not None and text_of(metadata, "Key").upper() in ("", "/IMAGE/NAME"):
                value.text = image_name


def _remove_new_settings(root: ET.Element) -> None:
    for component in components(root, _SHELL_SETUP):
        for oobe in component.iterfind(tag("OOBE")):
            for name in _SETTINGS_FROM_WINDOWS_8:
                for element in oobe.findall(tag(name)):
                    oobe.remove(element)


def _remove_old_settings(root: ET.Element) -> None:
    for component in components(root, _SHELL_SETUP):
        for parent, name in _SETTINGS_UNTIL_WINDOWS_8_1:
            for element in component.findall(tag(parent)):
                for old in element.findall(tag(name)):
                    element.remove(old)
                if not len(element):
                    component.remove(element)


def _set_passwords(root: ET.Element, password: str) -> None:
    for component in components(root, _SHELL_SETUP):
        for where in (
            place("UserAccounts", "AdministratorPassword"),
            place("AutoLogon", "Password"),
        ):
            for element in component.iterfind(where):
                element[:] = []
                element.text = None
                append(element, "Value", password)
                append(element, "PlainText", "true")


def _add_local_account(root: ET.Element) -> None:
    """Client editions do not finish their first start without a local account."""
    for component in components(root, _SHELL_SETUP):
        for accounts in component.iterfind(tag("UserAccounts")):
            if accounts.find(tag("LocalAccounts")) is None:
                account = ET.SubElement(
                    append(accounts, "LocalAccounts"),
                    tag("LocalAccount"),
                    {f"{{{WCM}}}action": "add"},
                )
                for name, text in _LOCAL_ACCOUNT.items():
                    append(account, name, text)


def _set_product_key(root: ET.Element, product_key: str) -> None:
    for component in components(root, "Microsoft-Windows-Setup"):
        for user_data in component.iterfind(tag("UserData")):
            element = _replace_first(user_data, "ProductKey")
            append(element, "Key", product_key)
            append(element, "WillShowUI", "OnError")
    for component in components(root, _SHELL_SETUP, "specialize"):
        _replace_first(component, "ProductKey").text = product_key


def _replace_first(parent: ET.Element, name: str) -> ET.Element:
    """An empty child ``name`` at the front, in place of those that were there."""
    for old in parent.findall(tag(name)):
        parent.remove(old)
    new = ET.Element(tag(name))
    parent.insert(0, new)
    return new


def _first_logon_commands(root: ET.Element) -> ET.Element:
    return _list(root, "oobeSystem", _SHELL_SETUP, "FirstLogonCommands")


def _list(root: ET.Element, settings_pass: str, component_name: str, name: str) -> ET.Element:
    """A list of commands, made with everything above it where missing."""
    component = next(components(root, component_name, settings_pass), None)
    if component is None:
        component = _add_component(root, settings_pass, component_name)
    found = component.find(tag(name))
    return append(component, name) if found is None else found


def _insert(commands: ET.Element, index: int, description: str, command: str) -> bool:
    """Put a command into a list at a place, unless it is there; whether it was put."""
    kind, field = _COMMAND_FIELDS[commands.tag]
    if any(text_of(element, field) == command for element in commands):
        return False
    new = ET.Element(tag(kind), {f"{{{WCM}}}action": "add"})
    append(new, "Order")
    append(new, "Description", description)
    append(new, field, command)
    commands[:] = sorted(commands, key=_order)
    commands.insert(index, new)
    for number, element in enumerate(commands, 1):
        order = element.find(tag("Order"))
        if order is not None:
            order.text = str(number)
    return True


_COMMAND_FIELDS = {
    tag("RunSynchronous"): ("RunSynchronousCommand", "Path"),
    tag("FirstLogonCommands"): ("SynchronousCommand", "CommandLine"),
}


def _order(element: ET.Element) -> int:
    number = text_of(element, "Order")
    # int() refuses thousands of digits, and no list is that long.
    return int(number) if number.isdecimal() and len(number) < 10 else 0


def _add_component(root: ET.Element, settings_pass: str, name: str) -> ET.Element:
    found = (
        architecture_of(component) for component in root.iterfind(place("settings", "component"))
    )
    architecture = next((name for name in found if name not in ("", WOW64)), "amd64")
    passes = root.iterfind(tag("settings"))
    settings = next((item for item in passes if item.get("pass") == settings_pass), None)
    if settings is None:
        settings = ET.SubElement(root, tag("settings"), {"pass": settings_pass})
    return ET.SubElement(
        settings,
        tag("component"),
        {"name": name, "processorArchitecture": architecture, **_COMPONENT_ATTRIBUTES},
    )
