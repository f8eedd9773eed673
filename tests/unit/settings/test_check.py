"""Warnings about what a configuration file says in vain, with the line and a way out."""

from __future__ import annotations

import pytest

from winimagetools.errors import Problem
from winimagetools.formats.ini_document import IniFile
from winimagetools.settings.check import structure_warnings, value_warnings
from winimagetools.settings.options import WindowsImageConfig

_SEE_FILE = "Remove it, or see the file that New-WindowsImageConfig writes for every"


def warnings(text: str) -> list[Problem]:
    """The warnings about a file with this text."""
    return structure_warnings(IniFile(text.encode()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n; a=b\n# c=d\n",
        "; note\n[DEFAULT]\n# x = y\n  # z\n;old=1\nimage_name=$image.Name\n[vm]\ncpu_count=2\n",
        "[Default]\nForce = True\n[ CLOUDBASE_INIT ]\nMSI_path=\n",
    ],
)
def test_nothing_to_warn_about(text: str) -> None:
    """Comments of both kinds, any letter case and blanks are all right."""
    assert warnings(text) == []


def test_key_outside_of_a_section() -> None:
    """A known option before the first section is told where it belongs."""
    assert warnings("image_name=x\nCPU_count=2\n[vm]\n") == [
        Problem(
            "This line stands before the first section, so it is ignored.",
            "Put [DEFAULT] above it.",
            "",
            "image_name",
            1,
        ),
        Problem(
            "This line stands before the first section, so it is ignored.",
            "Put [vm] above it.",
            "",
            "cpu_count",
            2,
        ),
    ]


def test_other_lines_outside_of_a_section() -> None:
    """An unknown key gets the nearest one, a line without = the advice to mark it."""
    first, second = warnings("imagename=x\nsecret words\n")
    assert (first.key, first.hint) == ("imagename", "Did you mean image_name in [DEFAULT]?")
    assert (second.key, second.line) == ("", 2)
    assert second.hint == "Start it with ; when it is a comment."
    assert "secret words" not in str(second)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("imagename", "Did you mean image_name in [DEFAULT]?"),
        ("Virtio_ISO", "Did you mean virtio_iso_path in [drivers]?"),
        ("vlan", f"{_SEE_FILE} option."),
    ],
)
def test_unknown_key(key: str, hint: str) -> None:
    """An unknown key is ignored; the nearest option is named when one is near."""
    message = "There is no option of this name; only scripts of your own in the image can read it."
    assert warnings(f"[DEFAULT]\n\n{key}=1\n") == [Problem(message, hint, "DEFAULT", key, 3)]


def test_key_in_the_wrong_section() -> None:
    """An option in another section is ignored and told where it belongs."""
    assert warnings("[DEFAULT]\ninstall_updates=True\n[updates]\n") == [
        Problem(
            "This option is not looked for in [DEFAULT], so it is ignored.",
            "Move it to [updates].",
            "DEFAULT",
            "install_updates",
            2,
        )
    ]


def test_unknown_section() -> None:
    """A misspelt section is told once, its known keys each, its unknown ones not."""
    assert warnings("[cloudbase-init]\nmsi_path=a\nmine=1\n[zzz]\nx=1\n") == [
        Problem(
            "No option is read from a section of this name.",
            "Did you mean [cloudbase_init]?",
            "cloudbase-init",
            "",
            1,
        ),
        Problem(
            "This option is not looked for in [cloudbase-init], so it is ignored.",
            "Move it to [cloudbase_init].",
            "cloudbase-init",
            "msi_path",
            2,
        ),
        Problem(
            "No option is read from a section of this name.",
            f"{_SEE_FILE} section.",
            "zzz",
            "",
            4,
        ),
    ]


def test_section_opened_twice() -> None:
    """The second section of a name is reported once, with the keys that are lost."""
    text = "[vm]\ncpu_count=1\n[updates]\n[VM]\nram_size=4GB\nodd=1\n# note\n"
    assert warnings(text) == [
        Problem(
            "This section was already opened in line 1 and only that one counts; ignored here: "
            "ram_size, odd.",
            "Move the keys up into the first one.",
            "VM",
            "",
            4,
        )
    ]


def test_empty_section_opened_twice() -> None:
    """A second section without keys says that nothing is lost."""
    assert "ignored here: nothing." in warnings("[vm]\n[vm]\n")[0].message


def test_key_given_twice() -> None:
    """The first line of a key counts."""
    assert warnings("[vm]\ncpu_count=1\nCPU_COUNT=2\n") == [
        Problem(
            "This option was already given in line 2; that line counts.",
            "Remove one of them.",
            "vm",
            "cpu_count",
            3,
        )
    ]


def test_lines_without_equals() -> None:
    """An option without = has its default; other words are ignored and not repeated."""
    first, second = warnings("[vm]\ncpu_count\nmy password\n")
    assert first.key == "cpu_count"
    assert first.message == "This line has no =, so the default is used."
    assert (second.section, second.key, second.line) == ("vm", "", 3)
    assert "password" not in str(second)


def test_values_are_not_shown() -> None:
    """A password in the wrong place does not get into a warning."""
    text = "administrator_password=hunter2\n[DEFAULT]\nadministrator_password=hunter2\n"
    assert len(warnings(text)) == 2
    assert "hunter2" not in "".join(map(str, warnings(text)))


@pytest.mark.parametrize(("url", "checksum"), [("", ""), ("https://x/a.msi", "ab12")])
def test_url_and_checksum_together(url: str, checksum: str) -> None:
    """Both or none is right."""
    assert value_warnings(WindowsImageConfig(url=url, checksum=checksum)) == []


@pytest.mark.parametrize(("given", "missing"), [("url", "checksum"), ("checksum", "url")])
def test_url_or_checksum_alone(given: str, missing: str) -> None:
    """One without the other is ignored, as in the PowerShell tools, and said so."""
    config = WindowsImageConfig(**{given: "x"})  # type: ignore[arg-type]
    assert value_warnings(config) == [
        Problem(
            f"{given} without {missing} is ignored.",
            f"Give {missing} too, in the same section.",
            "virtio_qemu_guest_agent",
            given,
        )
    ]
