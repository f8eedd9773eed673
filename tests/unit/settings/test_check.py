"""Warnings about what a configuration file says in vain, with the line and a way out."""

from __future__ import annotations

import pytest

from winimagetools.errors import Problem
from winimagetools.formats.ini_document import IniFile
from winimagetools.settings.check import (
    own_entries,
    own_secrets,
    structure_warnings,
    value_warnings,
)
from winimagetools.settings.options import SECTION_OF, WindowsImageConfig

_OWN_SECTION = (
    "No option is read from a section of this name; its keys are put into the image for scripts "
    "of your own."
)
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
            _OWN_SECTION,
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
            _OWN_SECTION,
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


@pytest.mark.parametrize(
    "line",
    [
        "external_switch=external ; the switch",
        "time_zone=UTC\t# note",
        "image_name=# the name",
        "image_name=; the name",
        'image_name="a" # b',
        "administrator_password=hunter2 # for the build",
        "own_key=a ;b",
    ],
)
def test_comment_behind_a_value(line: str) -> None:
    """It is part of the value, which is not shown for it may be a password."""
    key = line.partition("=")[0]
    section = SECTION_OF.get(key, "DEFAULT")
    found = [problem for problem in warnings(f"[{section}]\n{line}\n") if "comment" in str(problem)]
    assert [(problem.section, problem.key, problem.line) for problem in found] == [
        (section, key, 2)
    ]
    assert "hunter2" not in str(found[0])


@pytest.mark.parametrize(
    "line",
    [
        'image_name="a # b"',
        "administrator_password=##############",
        "administrator_password=#1pw;x#y",
        "image_path=C:\\a;b#c.vhdx",
        "image_name=",
    ],
)
def test_no_comment_behind_a_value(line: str) -> None:
    """Quotes say that it is meant; without a blank before it, it is no comment to anybody."""
    section = SECTION_OF[line.partition("=")[0]]
    assert warnings(f"[{section}]\n{line}\n") == []


def test_other_code_pages() -> None:
    """Lines whose characters were guessed are told, comments are not."""
    text = "# \u043f\n[vm]\ncpu_count=2\nadministrator_password=\u043f\u0430\u0440\n"
    (found,) = structure_warnings(IniFile(text.encode("cp1251")))
    assert (found.section, found.key, found.line) == ("vm", "administrator_password", 4)
    assert "Windows-1252" in found.message
    assert found.hint == "Save the file as UTF-8."
    assert structure_warnings(IniFile(text.encode())) == []
    assert structure_warnings(IniFile(text.encode("utf-16"))) == []


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("administrator_pasword", "administrator_password"),
        ("zip_pass_word", "zip_password"),
        ("productkey", "product_key"),
    ],
)
def test_misspelled_secrets(key: str, meant: str) -> None:
    """They are left out of the image, which is said with what was meant."""
    (found,) = warnings(f"[DEFAULT]\n{key}=hunter2\n")
    assert f"looks like {meant} and is not put into the image" in found.message
    assert f"Write {meant} in [{SECTION_OF[meant]}]" in found.hint
    assert own_entries(IniFile(f"[DEFAULT]\n{key}=hunter2\n".encode())) == ()


@pytest.mark.parametrize("section", ["DEFAULT", "hooks"])
@pytest.mark.parametrize(
    "key", ["domain_password", "JoinPwd", "wsus_token", "client_secret", "api-key", "db_pass"]
)
def test_secrets_of_the_users_own(section: str, key: str) -> None:
    """They are passed on, which is said with what it means; their values are not logged."""
    document = IniFile(f"[{section}]\n{key}=hunter2\n".encode())
    found = [problem for problem in structure_warnings(document) if problem.key == key]
    assert len(found) == 1
    assert "it is put into the image, where everybody" in found[0].message
    assert own_entries(document) == ((section, key, "hunter2"),)
    assert own_secrets(document) == ("hunter2",)


@pytest.mark.parametrize("key", ["site", "compass", "passthrough", "keyboard", "bypass_proxy"])
def test_names_that_are_no_secrets(key: str) -> None:
    """Words in which the letters stand by chance."""
    document = IniFile(f"[hooks]\n{key}=x\n".encode())
    assert own_secrets(document) == ()
    assert [problem.key for problem in structure_warnings(document)] == [""]


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
