"""The ``config.ini`` that lies in the image for the scripts of the guest."""

from __future__ import annotations

from pathlib import PureWindowsPath

from winimagetools.settings.declaration import Value, written
from winimagetools.settings.options import OPTIONS, WindowsImageConfig


def guest_config_text(config: WindowsImageConfig) -> str:
    """The config.ini to copy into the image: what its scripts read, and the user's own keys.

    Passwords are not in it, and a product key only when there is one. Of
    ``vmware_tools_path`` it has the file name, of ``install_qemu_ga`` whether it is wanted:
    the paths and addresses of this machine are not the guest's concern. Keys that are no
    options are kept for hook scripts. Lines end in CR LF.
    """
    sections: dict[str, list[str]] = {}
    for declared in OPTIONS:
        value = _for_guest(declared.name, getattr(config, declared.name))
        if declared.guest and (value or not declared.secret):
            line = f"{declared.name}={written(value)}"
            sections.setdefault(declared.section, []).append(line)
    for name, key, text in config.origin.own:
        section = next((known for known in sections if known.lower() == name.lower()), name)
        sections.setdefault(section, []).append(f"{key}={written(text)}")
    lines = [line for name, own in sections.items() for line in (f"[{name}]", *own)]
    return "".join(f"{line}\r\n" for line in lines)


def _for_guest(name: str, value: Value) -> Value:
    if name == "vmware_tools_path":
        return PureWindowsPath(str(value)).name
    if name == "install_qemu_ga":
        return str(value).strip().lower() not in ("", "false")
    return value
