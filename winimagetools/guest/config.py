"""The ``config.ini`` that lies in the image for the scripts of the guest."""

from __future__ import annotations

from pathlib import PureWindowsPath
from urllib.parse import urlsplit, urlunsplit

from winimagetools.facts.time_zone import windows_time_zone
from winimagetools.settings.declaration import Option, Value, written
from winimagetools.settings.options import OPTIONS, WindowsImageConfig

_PATH_ENDINGS = ("_path", "_packages", "_socket")


def guest_config_text(config: WindowsImageConfig) -> str:
    """The config.ini to copy into the image, for its scripts and those of the user.

    The rule of what is in it:

    * Every option that is no secret, because hook scripts read options such as
      ``image_type``. The passwords are not in it; of ``product_key`` only one that is set.
    * Of paths the last part: the folders of the machine that made the image mean nothing in
      the guest, and would make the same image another one in another folder; of
      ``install_qemu_ga`` whether it is wanted, as the scripts of the guest expect it; of an
      address nothing that may be a credential (user, password, query); of a time zone the
      name Windows has for it.
    * Every key that is no option, but what looks like a misspelled secret option; see
      :func:`winimagetools.settings.check.own_entries`.

    Lines end in CR LF.

    Raises:
        RequestError: Windows has no such time zone.
    """
    sections: dict[str, list[str]] = {}
    for declared in OPTIONS:
        value = _for_guest(declared.name, getattr(config, declared.name))
        if _is_passed_on(declared, value):
            line = f"{declared.name}={written(value)}"
            sections.setdefault(declared.section, []).append(line)
    for name, key, text in config.origin.own:
        section = next((known for known in sections if known.lower() == name.lower()), name)
        sections.setdefault(section, []).append(f"{key}={written(text)}")
    lines = [line for name, own in sections.items() for line in (f"[{name}]", *own)]
    return "".join(f"{line}\r\n" for line in lines)


def _is_passed_on(declared: Option, value: Value) -> bool:
    return not declared.secret or (declared.guest and bool(value))


def _for_guest(name: str, value: Value) -> Value:
    if name == "install_qemu_ga":
        return str(value).strip().lower() not in ("", "false")
    if name == "time_zone":
        return windows_time_zone(str(value))
    if not isinstance(value, str):
        return value
    if name.endswith(_PATH_ENDINGS) and "://" not in value:
        return _names_only(value)
    return _without_credentials(value)


def _names_only(text: str) -> str:
    """The last parts of paths that are separated by commas."""
    return ",".join(PureWindowsPath(item.strip()).name for item in text.split(","))


def _without_credentials(text: str) -> str:
    """The text, or of an address its scheme, host, port and path."""
    if "://" not in text:
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
