"""An image is built again, and what is wrong with its inputs is said before that."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.dry_build import SERVER_2022, FakeMedia, config_text, lay_out
from tests.unit.recording_host import recording_host
from winimagetools.contract import Host
from winimagetools.errors import (
    BuildError,
    ConfigurationError,
    HostError,
    MediaError,
    RequestError,
)
from winimagetools.files import fingerprint
from winimagetools.found import MachineFacts
from winimagetools.output.report.folder import folder_of
from winimagetools.settings.options import WindowsImageConfig
from winimagetools.workflows.build import new_windows_cloud_image
from winimagetools.workflows.rebuild import rebuild

OPTIONS: dict[str, str | bool | int] = {
    "wim_file_path": "install.wim",
    "image_name": SERVER_2022,
    "image_path": "win.raw",
    "virtual_disk_format": "RAW",
    "custom_resources_path": "resources",
}


class Delivering:
    """The files of a host whose images have a content that a test chooses."""

    def __init__(self, host: Host, content: bytes) -> None:
        self._files = host.files
        self.content = content
        self.epochs: list[str | None] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._files, name)

    def measure(self, path: Path, checksum: bool) -> tuple[int, str]:
        """Of the content."""
        self.epochs.append(os.environ.get("SOURCE_DATE_EPOCH"))
        digest = hashlib.sha256(self.content).hexdigest()
        return len(self.content), digest if checksum else ""

    def publish(
        self,
        source: Path,
        destination: Path,
        mode: int | None = None,
        report: Path | None = None,
    ) -> None:
        """Write it, and its report beside it."""
        destination.write_bytes(self.content)
        if report is not None:
            shutil.copytree(report, folder_of(destination), dirs_exist_ok=True)


def a_host(content: bytes = b"an image", *, offline: bool = False) -> tuple[Host, Delivering]:
    """A host that does nothing but deliver."""
    host = recording_host(FakeMedia(), lambda _: None, offline=offline)
    files = Delivering(host, content)
    return dataclasses.replace(host, files=files), files  # type: ignore[arg-type]


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image with its report, in the current folder with all it was made of."""
    lay_out(tmp_path)
    (tmp_path / "resources").mkdir(exist_ok=True)
    (tmp_path / "resources" / "a.txt").write_text("resource")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return build()


def build(own: str = "", **options: str | bool | int) -> Path:
    """Build an image."""
    text = config_text({**OPTIONS, **options}) + own
    Path("config.ini").write_text(text, encoding="utf-8")
    return new_windows_cloud_image("config.ini", host=a_host()[0], checksum=True).path


def again(image: Path, content: bytes = b"an image", *overrides: str, config: str = "") -> None:
    """Build it again."""
    told = rebuild(
        image,
        config=Path(config) if config else None,
        overrides=overrides,
        host=a_host(content)[0],
    )
    assert told == ["Built again from the same inputs win.raw has the same bytes."]


def test_the_same_image(image: Path) -> None:
    """With the options in the report; the image stays and nothing is left beside it."""
    before = sorted(image.parent.iterdir())
    again(image)
    assert sorted(image.parent.iterdir()) == before
    assert image.read_bytes() == b"an image"


def test_a_machine_whose_clock_runs(
    image: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not begin to build again, and what it builds says so: once, and in its report."""
    facts = MachineFacts("nowhere", not_reproducible="the clock runs")
    host, _ = a_host()
    checks = SimpleNamespace(check=host.checks.check, versions=host.checks.versions)
    checks.machine = lambda: facts
    host = dataclasses.replace(host, checks=checks)
    with pytest.raises(HostError) as caught:
        rebuild(image, host=host)
    assert caught.value.message == (
        "win.raw cannot be made again byte by byte on this machine: the clock runs."
    )
    caplog.clear()
    made = new_windows_cloud_image("config.ini", host=host).path
    record = json.loads((folder_of(made) / "report.json").read_text())
    assert record["reproducible"] == "no, because the clock runs"
    told = [
        "The image is not reproducible: the clock runs. Windows does not mind, but whoever builds "
        "it again gets other bytes, and verify --rebuild refuses it."
    ]
    assert [text for text in record["warnings"] if "reproducible" in text] == told
    assert [each.message for each in caplog.records if "reproducible" in each.message] == told


def test_nothing_is_taken_from_memory(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build believes what is remembered of a large medium; to build it again, it is read."""
    monkeypatch.setattr(fingerprint, "LARGE", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(image.parent / "cache"))
    Path("install.wim").write_bytes(b"a medium")
    os.utime("install.wim", (1, 1))
    assert build() == image
    (memory,) = (image.parent / "cache" / "winimagetools" / "digests").iterdir()
    files = json.loads(memory.read_text())["files"]
    true, wrong = files[""][-1], "ab" * 32
    memory.write_text(memory.read_text().replace(true, wrong))
    build()
    inputs = json.loads((folder_of(image) / "report.json").read_text())["inputs"]
    assert wrong in [item["sha256"] for item in inputs]
    with pytest.raises(MediaError, match=r"wim_file_path install\.wim has another content now"):
        again(image)


def test_what_a_report_says_of_it(image: Path) -> None:
    """Windows itself writes other bytes each time."""
    report = folder_of(image) / "report.json"
    assert json.loads(report.read_text())["reproducible"] == "yes"
    new_windows_cloud_image("config.ini", host=a_host(offline=True)[0])
    assert json.loads(report.read_text())["reproducible"] == (
        "no, because a running Windows had a part in it"
    )


def test_another_image(image: Path) -> None:
    """Says where, and with what the first one was made."""
    with pytest.raises(BuildError) as caught:
        again(image, b"an Image")
    assert "byte 3 of the file" in caught.value.message
    assert "recorder 1.0" in caught.value.hint


def test_its_time_is_asked_for(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the report, whatever the environment says, which is as before afterwards."""
    record = json.loads((folder_of(image) / "report.json").read_text())
    assert record["source_date_epoch"] == 946_684_800
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "5")
    host, files = a_host()
    rebuild(image, host=host)
    assert files.epochs == ["946684800"]
    assert os.environ["SOURCE_DATE_EPOCH"] == "5"


def test_inputs_that_changed(image: Path) -> None:
    """All of them are named in one message, before anything is built."""
    Path("install.wim").write_bytes(b"another medium")
    Path("resources/more.txt").write_text("more")
    with pytest.raises(MediaError) as caught:
        again(image)
    assert caught.value.message == (
        "This is not what the image was made of: custom_resources_path resources has another "
        "content now; wim_file_path install.wim has another content now."
    )


def test_an_input_that_is_missing(image: Path) -> None:
    """It can be named where it is now."""
    Path("install.wim").rename("moved.wim")
    with pytest.raises(MediaError, match=r"wim_file_path install\.wim is missing"):
        again(image, b"an image", "DEFAULT.wim_file_path=moved.wim")
    Path("elsewhere").mkdir()
    Path("moved.wim").rename("elsewhere/install.wim")
    again(image, b"an image", "DEFAULT.wim_file_path=elsewhere/install.wim")


def test_what_no_report_tells(image: Path) -> None:
    """Secrets and keys of the user are asked for, not guessed."""
    image = build("[hooks]\nmine = 5\n", administrator_password="hunter2")
    with pytest.raises(RequestError) as caught:
        again(image)
    assert "vm.administrator_password" in caught.value.message
    assert "hooks.mine" in caught.value.message
    assert "hunter2" not in str(caught.value)
    again(image, b"an image", config="config.ini")
    given = ("vm.administrator_password=hunter2", "hooks.mine=5")
    with pytest.raises(ConfigurationError, match="mine"):
        again(image, b"an image", *given)


def test_secrets_of_a_generated_configuration(image: Path) -> None:
    """They stand there with their defaults, which nobody has to be asked for."""
    usual = WindowsImageConfig()
    image = build(
        administrator_password=usual.administrator_password,
        product_key="",
        zip_password="",
    )
    again(image)


def test_a_configuration_that_changed(image: Path) -> None:
    """What it says now and what the image was made with."""
    text = config_text({**OPTIONS, "install_net_3_5": True})
    Path("config.ini").write_text(text, encoding="utf-8")
    with pytest.raises(MediaError, match=r"\[DEFAULT\] install_net_3_5 was False and is True"):
        again(image, config="config.ini")


def test_without_a_report(image: Path) -> None:
    """Nobody knows what it was made of."""
    shutil.rmtree(folder_of(image))
    with pytest.raises(MediaError, match=r"has no report win\.raw\.report beside it"):
        again(image)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("workflow", "New-WindowsOnlineImage", "a running Windows had a part in it"),
        ("tools", {"winimagetools": "0.0.1"}, "made by winimagetools 0.0.1, which is not"),
        ("source_date_epoch", 0, "made by winimagetools"),
        ("reproducible", "no, because the clock ran", r"byte by byte: the clock ran\."),
    ],
)
def test_what_cannot_be_built_again(image: Path, field: str, value: object, said: str) -> None:
    """Images that a running Windows finished, and those of another version."""
    path = folder_of(image) / "report.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(RequestError, match=said):
        again(image)


def test_a_host_that_lets_windows_do_it(image: Path) -> None:
    """What DISM does is not the same twice."""
    with pytest.raises(RequestError, match="a running Windows had a part in it"):
        rebuild(image, host=a_host(offline=True)[0])


def test_a_folder_that_does_not_exist(image: Path) -> None:
    """The second image has to go somewhere."""
    with pytest.raises(RequestError, match="No second image can be made in"):
        rebuild(image, folder=Path("nowhere"), host=a_host()[0])


def test_an_archive_with_a_password(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is compared by what is in it: its salt is a new one each time."""
    unpacked: list[tuple[tuple[str, ...], str]] = []

    def decompress(
        self: Delivering, source: Path, folder: Path, formats: Sequence[str], password: str
    ) -> Path:
        unpacked.append((tuple(formats), password))
        inside = folder / "inside"
        inside.write_bytes(source.read_bytes().split(b" ", 1)[1])
        return inside

    monkeypatch.setattr(Delivering, "decompress", decompress, raising=False)
    image = build(image_path="win.raw.zip", compression_format="zip", zip_password="open")
    overrides: Sequence[str] = ("DEFAULT.zip_password=open",)
    told = rebuild(image, overrides=overrides, host=a_host(b"AN image")[0])
    assert told == ["Built again from the same inputs win.raw.zip has the same bytes."]
    assert unpacked == [(("zip",), "open"), (("zip",), "open")]
    with pytest.raises(BuildError, match="not what its inputs give"):
        rebuild(image, overrides=overrides, host=a_host(b"an IMAGE")[0])
