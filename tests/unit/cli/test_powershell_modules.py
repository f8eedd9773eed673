"""The PowerShell modules: what they offer, and that Python understands what they send."""

from __future__ import annotations

import argparse
import base64
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.powershell_syntax import Parameter, arrays, functions, strings
from winimagetools.cli import main, show
from winimagetools.cli.parser import build_parser
from winimagetools.cli.powershell_modules import write_powershell_modules
from winimagetools.cli.translate import translate
from winimagetools.cli.words import ARGUMENTS_OPTION, expand_arguments
from winimagetools.data import data_path
from winimagetools.errors import RequestError
from winimagetools.model import Architecture, WimImage, WindowsVersion

NAMES = ("Config.psm1", "UnattendResources/ini.psm1", "WinImageBuilder.psm1")
CONFIG = Parameter("ConfigFilePath", "string", mandatory=True)
CONFIG_PIPED = Parameter("ConfigFilePath", "string", mandatory=True, pipeline=True)
KEY = Parameter("Key", "string", mandatory=True, pipeline=True)
SECTION = Parameter("Section", "string", default="'DEFAULT'")
PATH = Parameter("Path", "string", mandatory=True)
OFFERED: dict[str, dict[str, tuple[Parameter, ...]]] = {
    "WinImageBuilder.psm1": {
        "New-WindowsCloudImage": (CONFIG_PIPED,),
        "New-WindowsOnlineImage": (CONFIG_PIPED,),
        "New-WindowsFromGoldenImage": (CONFIG_PIPED,),
        "Test-OfflineWindowsImage": (CONFIG_PIPED,),
        "Get-WimFileImagesInfo": (Parameter("WimFilePath", "string", mandatory=True),),
        "Resize-VHDImage": (
            Parameter("VirtualDiskPath", "string", mandatory=True),
            Parameter("FreeSpace", "uint64", default=str(500 * 1024 * 1024)),
        ),
        "Add-VirtIODriversFromISO": (
            Parameter("VhdDriveLetter", "string", mandatory=True),
            Parameter("Image", "object", mandatory=True),
            Parameter("IsoPath", "string", mandatory=True),
        ),
    },
    "Config.psm1": {"Get-WindowsImageConfig": (CONFIG,), "New-WindowsImageConfig": (CONFIG,)},
    "UnattendResources/ini.psm1": {
        "Get-IniFileValue": (
            KEY,
            SECTION,
            Parameter("Default", "string", default="$null"),
            PATH,
            Parameter("AsBoolean", "switch"),
        ),
        "Set-IniFileValue": (KEY, SECTION, Parameter("Value", "string", mandatory=True), PATH),
        "Remove-IniFileValue": (KEY, SECTION, PATH),
    },
}
"""Functions and parameters in the order scripts may rely on, as the PowerShell tools have them."""
IMAGE_PROPERTIES = [
    "ImageIndex",
    "ImageName",
    "ImageDescription",
    "ImageFlags",
    "ImageInstallationType",
    "ImageEditionId",
    "ImageProductType",
    "ImageSize",
    "ImageArchitecture",
    "ImageDefaultLanguage",
    "ImageVersion",
    "ImageDisplayName",
    "ImageDisplayDescription",
]
NASTY = [
    "a b",
    'say "hi"',
    "it's",
    "$env:TEMP",
    "[x]",
    "C:\\ä\\日本",
    "-5",
    "--x",
    "a,b",
    "100%",
    "`n",
]


def source(name: str) -> str:
    """One of the modules."""
    return (data_path("powershell") / name).read_text(encoding="ascii")


def send(words: list[str]) -> dict[str, str]:
    """The environment as the modules set it."""
    return {"X": ",".join(base64.b64encode(word.encode()).decode() for word in words)}


def parse(words: list[str]) -> argparse.Namespace:
    """A command line of the modules as the commands get it."""
    return build_parser().parse_args(translate(words))


@pytest.mark.parametrize("name", NAMES)
def test_functions_and_parameters(name: str) -> None:
    """Each module has the functions scripts use, with their parameters in the same order."""
    assert functions(source(name)) == OFFERED[name]


@pytest.mark.parametrize("name", NAMES)
def test_exports(name: str) -> None:
    """Each module exports its functions; WinImageBuilder those of Config too."""
    expected = set(OFFERED[name])
    if name == "WinImageBuilder.psm1":
        expected |= set(OFFERED["Config.psm1"])
    assert set(strings(source(name), "Export-ModuleMember")) == expected


def test_image_properties() -> None:
    """The objects of Get-WimFileImagesInfo have the properties scripts read."""
    text = source("WinImageBuilder.psm1")
    assert re.findall(r"^ +(Image\w+) = ", text, re.MULTILINE) == IMAGE_PROPERTIES
    assert "ImageVersion = [version]$image.version" in text


def test_image_fields_are_in_the_json() -> None:
    """Every field the module reads is one that ``wim-info --json`` writes."""
    image = WimImage(1, "x", Architecture.AMD64, WindowsVersion(10, 0, 20348, 587))
    json = show.images_json([image])
    fields = re.findall(r"\$image\.([a-z_]+)", source("WinImageBuilder.psm1"))
    assert len(fields) == len(IMAGE_PROPERTIES)
    for field in fields:
        assert f'"{field}": ' in json
    assert '"version": "10.0.20348.587"' in json


def calls() -> list[list[str]]:
    """The command lines in the modules: function, names of parameters, variables."""
    found = [words for name in NAMES for words in arrays(source(name))]
    return [words for words in found if any(word.startswith("$") for word in words)]


def test_every_function_calls_itself() -> None:
    """There is one command line for each function, under the name of that function."""
    assert sorted(words[0] for words in calls()) == sorted(
        name for offered in OFFERED.values() for name in offered
    )


@pytest.mark.parametrize("words", calls(), ids=lambda words: words[0])
def test_every_parameter_is_sent(words: list[str]) -> None:
    """No parameter is forgotten; a switch is added to the words later."""
    offered = {
        name: parameters for module in OFFERED.values() for name, parameters in module.items()
    }
    expected = {f"${item.name}" for item in offered[words[0]] if item.kind != "switch"}
    sent = {word.replace("$version", "$Image") for word in words if word.startswith("$")}
    assert sent == expected


@pytest.mark.parametrize("value", NASTY)
@pytest.mark.parametrize("words", calls(), ids=lambda words: words[0])
def test_values_arrive_unchanged(words: list[str], value: str) -> None:
    """Whatever a parameter holds, the command gets exactly that."""
    line: list[str] = []
    for word in words:
        if word.startswith("$"):
            line.append(line.pop() + value if line[-1].endswith("=") else value)
        else:
            line.append(word)
    received = vars(parse(expand_arguments([ARGUMENTS_OPTION, "X"], send(line))))
    sent = sum(word.startswith("$") for word in words)
    assert list(received.values()).count(value) == sent > 0


def test_default_section() -> None:
    """The section of a value is DEFAULT in the module and in the command."""
    words = ["Get-IniFileValue", "-Key", "a", "-Path", "f.ini", "-AsBoolean"]
    arguments = parse(words)
    assert (arguments.section, arguments.key, arguments.path) == ("DEFAULT", "a", "f.ini")
    assert arguments.as_boolean is True


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1))
def test_any_text_travels(words: list[str]) -> None:
    """Every list of words comes out of the environment as it went in, and leaves it."""
    environment = send(words)
    assert expand_arguments([ARGUMENTS_OPTION, "X"], environment) == words
    assert environment == {}


def test_other_command_lines_stay() -> None:
    """Without the option nothing is read from the environment."""
    environment = send(["a"])
    assert expand_arguments(["wim-info", ARGUMENTS_OPTION, "X"], environment) == [
        "wim-info",
        ARGUMENTS_OPTION,
        "X",
    ]
    assert environment == send(["a"])


@pytest.mark.parametrize(
    ("words", "environment", "message"),
    [
        ([ARGUMENTS_OPTION], {}, "names '', which is no environment variable"),
        ([ARGUMENTS_OPTION, "Y"], {"X": ""}, "names 'Y', which is no environment variable"),
        ([ARGUMENTS_OPTION, "X"], {"X": "not base64!"}, "X does not hold a command line"),
        ([ARGUMENTS_OPTION, "X"], {"X": "/w=="}, "X does not hold a command line"),
    ],
)
def test_bad_environment(words: list[str], environment: dict[str, str], message: str) -> None:
    """A variable that is missing or holds something else is refused."""
    with pytest.raises(RequestError, match=message):
        expand_arguments(words, environment)


def test_the_command_line_of_the_modules_is_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``main`` runs what is in the environment variable that the module names."""
    path = tmp_path / "größe [1].ini"
    path.write_text("[vm]\ncpu_count=4\n")
    words = ["Get-IniFileValue", "-Key", "cpu_count", "-Section", "vm", "-Path", str(path)]
    name = re.findall(rf"{ARGUMENTS_OPTION} (\w+)", source("Python.ps1"))[0]
    assert f"EnvironmentVariables['{name}']" in source("Python.ps1")
    monkeypatch.setenv(name, send(words)["X"])
    assert main.main([ARGUMENTS_OPTION, name]) == 0
    assert capsys.readouterr().out == "4\n"


def test_modules_of_python_come_from_python() -> None:
    """``-P`` keeps a json.py of the current folder from being imported."""
    assert "$python.Before + '-P -m winimagetools.builder " in source("Python.ps1")


def test_writing(tmp_path: Path) -> None:
    """The modules come out as they are, with the Python they belong to beside them."""
    folder = tmp_path / "new folder" / "tools"
    written = write_powershell_modules(folder, r"C:\Program Files\Python ü\python.exe")
    assert written == [folder / name for name in NAMES]
    for name in (*NAMES, "Python.ps1"):
        assert (folder / name).read_text(encoding="ascii") == source(name)
    record = (folder / "python.txt").read_text(encoding="utf-8")
    assert record == r"C:\Program Files\Python ü\python.exe"
    assert "'python.txt'" in source("Python.ps1")


def test_writing_again(tmp_path: Path) -> None:
    """Older modules of this project are replaced."""
    write_powershell_modules(tmp_path, "python")
    (tmp_path / "Config.psm1").write_text("# winimagetools: an older one\n")
    write_powershell_modules(tmp_path, "python")
    assert (tmp_path / "Config.psm1").read_text(encoding="ascii") == source("Config.psm1")


def test_modules_of_others_stay(tmp_path: Path) -> None:
    """A module that is not ours is not replaced, and nothing else is written either."""
    (tmp_path / "WinImageBuilder.psm1").write_text("# theirs\n")
    with pytest.raises(RequestError, match=r"WinImageBuilder.psm1 is not a module of winimage"):
        write_powershell_modules(tmp_path, "python")
    assert [path.name for path in tmp_path.iterdir()] == ["WinImageBuilder.psm1"]
    assert (tmp_path / "WinImageBuilder.psm1").read_text() == "# theirs\n"


def test_folder_that_cannot_be(tmp_path: Path) -> None:
    """A folder that cannot be made is refused by name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot be made"):
        write_powershell_modules(tmp_path / "file" / "below", "python")


def test_scripts_may_begin_with_git_submodule(tmp_path: Path) -> None:
    """The folder is an empty repository, unless it is part of one already."""
    write_powershell_modules(tmp_path / "alone", "python")
    git = tmp_path / "alone/.git"
    assert sorted(item.name for item in git.iterdir()) == ["HEAD", "objects", "refs"]
    assert (git / "HEAD").read_bytes() == b"ref: refs/heads/main\n"
    write_powershell_modules(tmp_path / "alone/below", "python")
    assert not (tmp_path / "alone/below/.git").exists()
