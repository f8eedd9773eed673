"""Reading and writing configuration files."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

import pytest

from winimagetools import masking
from winimagetools.config import (
    comment_lines,
    get_available_config_options,
    get_windows_image_config,
    new_windows_image_config,
)
from winimagetools.errors import ConfigurationError, Problem, RequestError
from winimagetools.formats.ini_document import IniFile
from winimagetools.ini import get_ini_file_value
from winimagetools.settings.declaration import Kind, Option
from winimagetools.settings.options import OPTIONS, SECTION_OF, SECTIONS, WindowsImageConfig

TEXTS: dict[Kind, tuple[tuple[str, object], tuple[str, object]]] = {
    Kind.BOOLEAN: (("tRUE", True), ("False", False)),
    Kind.COUNT: (("3", 3), ("5", 5)),
    Kind.SIZE: (("3GB", 3 * 1024**3), ("5 GiB", 5 * 1024**3)),
    Kind.TEXT: (("from file", "from file"), ("from command", "from command")),
}
"""For each kind two texts with their values."""


def texts(option: Option) -> tuple[tuple[str, object], tuple[str, object]]:
    """Two texts for an option with what they mean."""
    if option.name == "source":
        return ("iso", "iso"), ("AUTO", "auto")
    first, second = TEXTS[option.kind]
    return (second, first) if option.default is True else (first, second)


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The secrets known to the log, empty at first."""
    known: set[str] = set()
    monkeypatch.setattr(masking, "_secrets", known)
    return known


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the configuration file is; it does not exist yet."""
    return tmp_path / "config.ini"


def read(
    path: Path, text: str, *overrides: str, strict: bool = False, codec: str = "utf-8"
) -> WindowsImageConfig:
    """The configuration in a file with this text."""
    path.write_bytes(text.encode(codec))
    return get_windows_image_config(path, overrides=overrides, strict=strict)


def problems(path: Path, text: str, *overrides: str, strict: bool = False) -> list[str]:
    """The problems that keep this text from being used, as texts."""
    with pytest.raises(ConfigurationError) as caught:
        read(path, text, *overrides, strict=strict)
    assert caught.value.source == str(path)
    assert caught.value.exit_code == 2
    return [str(problem) for problem in caught.value.problems]


# Precedence


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_precedence(path: Path, option: Option) -> None:
    """Default below file below command line, for every option, and the origin knows which."""
    (in_file, file_value), (given, given_value) = texts(option)
    config = read(path, "")
    assert getattr(config, option.name) == option.default
    assert not config.origin.is_explicit(option.name)
    assert config.origin.line(option.name) is None

    text = f"[{option.section}]\n\n{option.name} = {in_file}\n"
    config = read(path, text)
    assert getattr(config, option.name) == file_value != option.default
    assert config.origin.is_explicit(option.name)
    assert config.origin.line(option.name) == 3

    for name in (option.name, f"{option.section}.{option.name}".upper()):
        config = read(path, text, f"{name}={given}")
        assert getattr(config, option.name) == given_value
        assert config.origin.is_explicit(option.name)
        assert config.origin.line(option.name) is None


def test_whole_configuration(path: Path) -> None:
    """All options at once, in mixed case and quotes, with Windows line ends, in Unicode."""
    lines = []
    for section in SECTIONS:
        lines.append(f"[{section.upper()}]")
        for option in OPTIONS:
            if option.section == section:
                lines.append(f'{option.name.title()} = "{texts(option)[0][0]}"')
    config = read(path, "\r\n".join(lines), codec="utf-16")
    for option in OPTIONS:
        assert getattr(config, option.name) == texts(option)[0][1]
    assert config.origin.warnings == ()


def test_origin(path: Path) -> None:
    """The origin names the file with its absolute path."""
    assert read(path, "").origin.path == path
    assert path.is_absolute()


def test_relative_file_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative name, also as text, is remembered as an absolute path."""
    read(path, "[vm]\ncpu_count=7\n")
    monkeypatch.chdir(path.parent)
    config = get_windows_image_config("config.ini")
    assert config.cpu_count == 7
    assert config.origin.path == Path.cwd() / "config.ini"


def test_empty_text_is_not_the_default(path: Path) -> None:
    """An option that is there without a value is empty, and explicit."""
    config = read(path, '[DEFAULT]\nwim_file_path=\nimage_name=""\n')
    assert (config.wim_file_path, config.image_name) == ("", "")
    assert config.origin.is_explicit("image_name")


def test_templates_are_taken_literally(path: Path) -> None:
    """What a script was meant to replace is text; quotes may end in a backslash."""
    config = read(path, '[Default]\nimage_name=$($image.Name)\n[drivers]\nvirtio_base_path="d:\\"')
    assert config.image_name == "$($image.Name)"
    assert config.virtio_base_path == "d:\\"


def test_temporary_folder(path: Path) -> None:
    """PowerShell's expression for the temporary folder is understood."""
    config = read(path, '[DEFAULT]\nimage_path = "${ENV:TEMP}\\win-image.tar.gz"\n')
    assert config.image_path == str(Path(tempfile.gettempdir(), "win-image.tar.gz"))


# Booleans


@pytest.mark.parametrize("text", ["", '""', "yes", "1", "$INSTALL", "True # note"])
@pytest.mark.parametrize(("name", "default"), [("install_updates", False), ("run_sysprep", True)])
def test_unreadable_boolean_is_the_default(
    path: Path, name: str, default: bool, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A boolean .NET cannot read has its default, with a loud warning that has the line."""
    config = read(path, f"[{SECTION_OF[name]}]\n{name}={text}\n")
    assert getattr(config, name) is default
    value = "" if text == '""' else text
    message = f"{value!r} is neither True nor False. The default {default} is used."
    hint = "Write True or False."
    assert config.origin.warnings == (Problem(message, hint, SECTION_OF[name], name, 2),)
    assert not config.origin.is_explicit(name)
    assert config.origin.line(name) == 2
    assert caplog.record_tuples == [
        (
            "winimagetools",
            logging.WARNING,
            f"{path}: [{SECTION_OF[name]}] {name} (line 2): {message} {hint}",
        )
    ]


def test_unreadable_boolean_is_an_error_with_strict(path: Path) -> None:
    """With strict the same is an error."""
    (problem,) = problems(path, "[DEFAULT]\nforce=yes\n", strict=True)
    assert problem.startswith("[DEFAULT] force (line 2): 'yes' is neither True nor False.")


def test_unreadable_boolean_on_the_command_line_is_an_error(path: Path) -> None:
    """There is no old behaviour to keep on the command line."""
    assert problems(path, "", "force=yes") == [
        "[DEFAULT] force: 'yes' is neither True nor False. Write True or False."
    ]


def test_override_hides_an_unreadable_value(path: Path) -> None:
    """What the command line replaces is not warned about."""
    config = read(path, "[DEFAULT]\nforce=yes\n[vm]\ncpu_count=many\n", "force=true", "cpu_count=2")
    assert (config.force, config.cpu_count, config.origin.warnings) == (True, 2, ())


# Numbers, overrides and files that cannot be used


def test_all_problems_together(path: Path) -> None:
    """Numbers and settings that cannot be read are reported in one error, in order."""
    text = "[vm]\ndisk_size=big\nram_size=\ncpu_count=0\n"
    assert problems(path, text, "vm.cpu=3") == [
        'There is no option "vm.cpu". show-config lists all options.',
        "[vm] disk_size (line 2): 'big' is not a size. "
        "Write bytes, or a number with KB, MB, GB or TB such as 40GB.",
        "[vm] ram_size (line 3): '' is not a size. "
        "Write bytes, or a number with KB, MB, GB or TB such as 40GB.",
        "[vm] cpu_count (line 4): '0' is not a whole number above zero. Write digits only.",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("vm.zip_password", "vm.zip_password has no =. Write it as section.key=value."),
        ("zip_password:s3cret", "A setting has no =. Write it as section.key=value."),
        ("", "A setting has no =. Write it as section.key=value."),
        ("=1", 'There is no option "". show-config lists all options.'),
        ("vm.force=s3cret", 'There is no option "vm.force". Write DEFAULT.force.'),
        ("disc_size=s3cret", 'There is no option "disc_size". Did you mean vm.disk_size?'),
        ("word=s3cret", 'There is no option "word". show-config lists all options.'),
        ("cpu_count=4GB", "[vm] cpu_count: '4GB' is not a whole number above zero."),
    ],
)
def test_wrong_override(path: Path, text: str, problem: str) -> None:
    """A setting that fits no option is an error that does not show its value."""
    (found,) = problems(path, "", text)
    assert found.startswith(problem)
    assert "s3cret" not in found


def test_last_override_wins(path: Path) -> None:
    """Of two settings for one option the last counts; a value may contain an =."""
    config = read(path, "", "cpu_count=2", "vm.cpu_count=3", " custom.ntp_servers =a=b")
    assert (config.cpu_count, config.ntp_servers) == (3, "a=b")


def test_missing_file(path: Path) -> None:
    """A missing file is an error, where the PowerShell tools went on with the defaults."""
    with pytest.raises(
        ConfigurationError, match=r"config\.ini cannot be used: It does not exist\."
    ):
        get_windows_image_config(path)


def test_file_that_cannot_be_read(path: Path) -> None:
    """So is a folder, or a file that is no text."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        get_windows_image_config(path.parent)
    path.write_bytes(b"\xff\xfe[")
    with pytest.raises(ConfigurationError, match="ends in half a character"):
        get_windows_image_config(path)


# Warnings


ODDITIES = """image_name=x
[vm]
cpus=2
cpu_count=2
cpu_count=4
[driver]
drivers_path=d
[virtio_qemu_guest_agent]
source=disk
url=https://example.com/a.msi
[vm]
ram_size=4GB
"""


def test_warnings_of_all_kinds(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is ignored is told in the order of the lines, in the log and in the origin."""
    config = read(path, ODDITIES)
    found = [(w.line, w.section, w.key) for w in config.origin.warnings]
    agent = "virtio_qemu_guest_agent"
    assert found == [
        (1, "", "image_name"),
        (3, "vm", "cpus"),
        (5, "vm", "cpu_count"),
        (6, "driver", ""),
        (7, "driver", "drivers_path"),
        (9, agent, "source"),
        (10, agent, "url"),
        (11, "vm", ""),
    ]
    assert caplog.messages == [f"{path}: {warning}" for warning in config.origin.warnings]
    defaults = WindowsImageConfig()
    assert (config.image_name, config.ram_size) == (defaults.image_name, defaults.ram_size)
    assert (config.cpu_count, config.drivers_path, config.source) == (2, "", "web")


def test_strict_makes_every_warning_an_error(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With strict the same file is refused with all of them, and nothing is logged."""
    expected = [str(warning) for warning in read(path, ODDITIES).origin.warnings]
    caplog.clear()
    assert problems(path, ODDITIES, strict=True) == expected
    assert caplog.messages == []


def test_strict_accepts_a_clean_file(path: Path) -> None:
    """Strict does not change how a file without oddities is read."""
    text = "[vm]\ncpu_count=2\n"
    assert read(path, text, strict=True) == read(path, text)


@pytest.mark.parametrize(
    ("text", "source"),
    [("web", "web"), ("ISO", "iso"), ("Auto", "auto"), ("", "web"), ('" iso "', "iso")],
)
def test_source(path: Path, text: str, source: str) -> None:
    """The source is compared in any case; empty means the default."""
    config = read(path, f"[virtio_qemu_guest_agent]\nsource={text}\n")
    assert config.source == source
    assert config.origin.warnings == ()


def test_unknown_source_means_web(path: Path) -> None:
    """Any other word means web, as in the PowerShell tools, with a warning."""
    config = read(path, "[virtio_qemu_guest_agent]\nsource=disk\n")
    assert config.source == "web"
    assert [str(warning) for warning in config.origin.warnings] == [
        "[virtio_qemu_guest_agent] source (line 2): 'disk' is no source of the QEMU guest agent, "
        "so web is used. Write web, iso or auto."
    ]


# Secrets


def test_secrets_are_registered(path: Path, secrets: set[str]) -> None:
    """Passwords and keys of the file are hidden from the log from now on."""
    read(
        path,
        "[DEFAULT]\nproduct_key=AAAAA-BBBBB\nzip_password=zzz\n",
        "vm.administrator_password=hunter2",
    )
    assert secrets == {"AAAAA-BBBBB", "zzz", "hunter2"}


def test_the_secrets_in_urls_are_registered(path: Path, secrets: set[str]) -> None:
    """They may turn up alone, in the message of a server."""
    read(path, "[DEFAULT]\n[virtio_qemu_guest_agent]\nurl=https://joe:p%40ss@h/a?token=t0ken&x=1\n")
    assert secrets == {"Pa$$w0rd", "p%40ss", "p@ss", "t0ken"}


def test_words_are_no_secrets(path: Path, secrets: set[str]) -> None:
    """Neither an empty text nor the word for a public key is a secret."""
    read(path, "[DEFAULT]\nproduct_key=default_kms_key\n")
    assert secrets == {"Pa$$w0rd"}


# Writing


def test_new_file_has_the_defaults(path: Path) -> None:
    """Reading a new file gives exactly the defaults, all explicit, with no warning."""
    new_windows_image_config(path)
    config = get_windows_image_config(path, strict=True)
    assert config == WindowsImageConfig()
    assert all(config.origin.is_explicit(option.name) for option in OPTIONS)


def test_new_file_is_commented(path: Path) -> None:
    """Each section once, in order and after a blank line, each key below its description."""
    new_windows_image_config(str(path))
    data = path.read_bytes()
    assert data.endswith(os.linesep.encode())
    lines = data.decode().splitlines()
    document = IniFile(data)
    assert [section.name for section in document.sections()] == list(SECTIONS)
    assert {lines[section.line - 2] for section in list(document.sections())[1:]} == {""}
    for option in OPTIONS:
        entry = document.find(option.section, option.name)
        assert entry is not None
        comments: list[str] = []
        index = entry.line - 2
        while lines[index].startswith("# "):
            comments.insert(0, lines[index][2:])
            index -= 1
        assert " ".join(comments) == option.help
    assert max(len(line) for line in lines if line.startswith("#")) <= 90


@pytest.mark.parametrize(
    "line",
    [
        "force=False",
        "run_sysprep=True",
        'product_key=""',
        "administrator_password=Pa$$w0rd",
        "disk_size=42949672960",
        "install_qemu_ga=False",
        r"wim_file_path=D:\Sources\install.wim",
    ],
)
def test_new_file_lines(path: Path, line: str) -> None:
    """Booleans are True or False, what is not set is a pair of quotes."""
    new_windows_image_config(path)
    assert line in path.read_text(encoding="utf-8").splitlines()


def test_existing_file_is_replaced(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Only when that is asked for, with a warning; nothing else is left beside it."""
    path.write_text("[vm]\ncpu_count=9\n", encoding="utf-8")
    with pytest.raises(RequestError, match=r"exists and is not replaced\..*--force"):
        new_windows_image_config(path)
    assert path.read_text(encoding="utf-8") == "[vm]\ncpu_count=9\n"
    new_windows_image_config(path, force=True)
    assert get_ini_file_value(path, "cpu_count", "vm") == "1"
    assert caplog.messages == [f"{path} exists and is written anew."]
    assert list(path.parent.iterdir()) == [path]


def test_new_file_without_a_warning(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that did not exist is no reason to warn."""
    new_windows_image_config(path)
    assert caplog.messages == []


def test_new_file_in_a_missing_folder(path: Path) -> None:
    """A folder that does not exist is one clear error."""
    with pytest.raises(RequestError, match="cannot be written"):
        new_windows_image_config(path.parent / "none" / "config.ini")


def test_comment_lines() -> None:
    """A description is wrapped at 90 characters; words stay whole."""
    text = "word-with-hyphens " * 10 + "https://example.com/" + "x" * 100
    lines = comment_lines(text)
    assert all(line.startswith("# ") for line in lines)
    assert " ".join(line[2:] for line in lines) == text
    assert [len(line) <= 90 for line in lines] == [True, True, True, False]
    assert comment_lines("") == []


def test_available_options() -> None:
    """The declarations can be listed."""
    assert get_available_config_options() is OPTIONS


@pytest.mark.parametrize("text", ["default_kms_key", "Default_KMS_Key", " DEFAULT_KMS_KEY "])
def test_default_kms_key_in_any_case(path: Path, text: str) -> None:
    """As the PowerShell tools compare it; in the file and on the command line."""
    assert read(path, f"[DEFAULT]\nproduct_key={text}\n").product_key == "default_kms_key"
    config = get_windows_image_config(path, overrides=[f"product_key={text}"])
    assert config.product_key == "default_kms_key"
