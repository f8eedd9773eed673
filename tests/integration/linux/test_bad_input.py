"""Bad input gets one clear error and the right exit code; nothing is left, nothing old is lost."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import cast

import pytest

from fixtures.media import MediaSpec
from tests.integration.linux.build import MSI, Job
from winimagetools.cli.main import main
from winimagetools.net.download import Downloader

OLD = b"the image of yesterday"
BAD, FAILED, LACKING = 2, 1, 3


@pytest.fixture
def job(tmp_path: Path, install_wim: Path) -> Job:
    """A job whose target exists already."""
    made = Job(tmp_path, install_wim, {})
    made.image.write_bytes(OLD)
    return made


def fails(
    job: Job,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, object],
    *more: str,
) -> tuple[int, str]:
    """Build with other options; exit code and message. What was there is still there."""
    image = job.image
    changed = Job(job.folder, job.wim, {**job.options, **options})
    code = changed.build(*more)
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert image.stat().st_size == len(OLD)
    assert image.read_bytes() == OLD
    assert [name for name in changed.left_over() if name != image.name] == []
    messages = [line for line in error.splitlines() if line.startswith("error: ")]
    assert len(messages) == 1, error
    return code, error[error.index("error: ") :]


def test_missing_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    """The file that is missing is named."""
    assert main(["New-WindowsCloudImage", "-ConfigFilePath", "/nowhere/config.ini"]) == BAD
    assert "/nowhere/config.ini" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("DEFAULT.wim_file_path", "/nowhere/win.iso", "/nowhere/win.iso does not exist"),
        ("DEFAULT.wim_file_path", r"D:\Sources\install.wim", "is a path of Windows"),
        ("DEFAULT.image_name", "Windows Server 2022 STANDARD", "SERVERSTANDARD"),
        ("DEFAULT.virtual_disk_format", "VDI", "RAW, QCOW2, VHD, VHDX, VMDK"),
        ("DEFAULT.disk_layout", "GPT", "BIOS, UEFI"),
        ("DEFAULT.image_type", "TOASTER", "MAAS, KVM, VMware, HYPER-V"),
        ("DEFAULT.compression_format", "tar.rar", "tar, gz, zip"),
        ("DEFAULT.product_key", "12345", "XXXXX-XXXXX"),
        ("DEFAULT.custom_scripts_path", "/nowhere/scripts", "/nowhere/scripts does not exist"),
        ("DEFAULT.extra_packages", "/nowhere/kb.msu", "/nowhere/kb.msu does not exist"),
        ("DEFAULT.wallpaper_path", "/nowhere/w.jpg", "/nowhere/w.jpg"),
        ("drivers.virtio_iso_path", "/nowhere/v.iso", "/nowhere/v.iso does not exist"),
        ("cloudbase_init.msi_path", r"C:\ci.msi", "is a Windows path"),
        ("sysprep.unattend_xml_path", "my.xml", "my.xml does not exist"),
        ("vm.disk_size", "lots", "lots"),
        ("vm.disk_size", "300MB", "too small"),
    ],
)
def test_wrong_option(
    job: Job, capsys: pytest.CaptureFixture[str], option: str, value: str, expected: str
) -> None:
    """Each wrong option is refused with section, key and line where it has one."""
    code, message = fails(job, capsys, {option: value})
    assert code == BAD
    assert expected in message
    if "image_name" not in option and not value.endswith("install.wim"):
        assert option.rpartition(".")[2] in message


def test_all_problems_at_once(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """Several wrong options are one error with a line for each, in the order of the file."""
    code, message = fails(
        job,
        capsys,
        {
            "DEFAULT.wim_file_path": "/nowhere/win.iso",
            "DEFAULT.image_type": "TOASTER",
            "drivers.drivers_path": "/nowhere/drivers",
        },
    )
    assert code == BAD
    assert "3 problems" in message
    lines = [line for line in message.splitlines() if line.startswith("  - ")]
    assert [line.split(" (line ")[0] for line in lines] == [
        "  - [DEFAULT] wim_file_path",
        "  - [DEFAULT] image_type",
        "  - [drivers] drivers_path",
    ]


def test_nearest_edition_first(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """The editions there are stand in the message, the most similar one first."""
    _, message = fails(job, capsys, {"DEFAULT.image_name": "windows server 2022 standard"})
    assert "no Windows edition called" in message
    assert 'one of: "Windows Server 2022 SERVERSTANDARD"' in message


@pytest.mark.parametrize("keep", [0, 100, 4096, -200])
def test_damaged_medium(
    job: Job,
    capsys: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
    keep: int,
) -> None:
    """A WIM that is empty, cut off or short of its last bytes is called what it is."""
    bad = tmp_path_factory.mktemp("bad") / "install.wim"
    bad.write_bytes(job.wim.read_bytes()[:keep])
    code, message = fails(job, capsys, {"DEFAULT.wim_file_path": bad})
    assert code == BAD
    assert str(bad) in message


def test_damaged_content(
    job: Job, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A WIM whose file data is damaged fails while it is applied, with one sentence."""
    bad = tmp_path_factory.mktemp("bad") / "install.wim"
    data = bytearray(job.wim.read_bytes())
    for position in range(len(data) // 4, len(data) // 2):
        data[position] ^= 0xFF
    bad.write_bytes(data)
    code, message = fails(job, capsys, {"DEFAULT.wim_file_path": bad})
    assert code in (BAD, FAILED)
    assert "damaged" in message


def test_not_a_medium(
    job: Job, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A file that only is called .iso is refused."""
    bad = tmp_path_factory.mktemp("bad") / "windows.iso"
    bad.write_bytes(b"<html>not here</html>" * 4000)
    code, message = fails(job, capsys, {"DEFAULT.wim_file_path": bad})
    assert code == BAD
    assert "windows.iso" in message


def test_missing_tool(
    job: Job, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every program that is missing is named with its package, before anything starts."""
    monkeypatch.setattr("winimagetools.run.shutil.which", lambda *_, **__: None)
    growing = {"DEFAULT.virtual_disk_format": "VHD", "DEFAULT.image_path": job.image}
    code, message = fails(job, capsys, growing)  # which qemu-img writes
    assert code == LACKING
    for package in ("ntfs-3g", "fdisk", "mtools", "qemu-utils"):
        assert f"apt install {package}" in message


def test_target_folder_is_missing(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder of the image has to exist."""
    code, message = fails(job, capsys, {"DEFAULT.image_path": "/nowhere/win.raw"})
    assert code == BAD
    assert "The folder /nowhere does not exist" in message


def test_target_is_a_folder(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder is no image."""
    code, message = fails(job, capsys, {"DEFAULT.image_path": "/usr"})
    assert code == BAD
    assert "/usr is a folder" in message


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the path says."""

    def do_GET(self) -> None:
        """404, a page, a file that is cut off, or an installer."""
        kind = self.path.strip("/").split("/")[0]
        body = {"page": b"<html>robots?</html>", "msi": MSI, "cut": MSI}.get(kind, b"")
        self.send_response(404 if kind == "gone" else 200)
        self.send_header("Content-Length", str(len(body) + (999 if kind == "cut" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A web server on loopback, an empty cache, and no waiting between attempts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    defaults = cast(FunctionType, Downloader.__init__).__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "sleep", lambda _: None)
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=web.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{web.server_address[1]}"
    web.shutdown()
    thread.join()
    web.server_close()


@pytest.mark.parametrize(
    ("kind", "checksum", "expected"),
    [
        ("gone", "", "404"),
        ("page", "", "is a web page"),
        ("msi", "0" * 64, "SHA-256"),
        ("cut", "", "cut"),
    ],
)
def test_download_fails(
    job: Job,
    capsys: pytest.CaptureFixture[str],
    server: str,
    kind: str,
    checksum: str,
    expected: str,
) -> None:
    """A download that is missing, a web page, wrong or cut off fails the build."""
    url = f"{server}/{kind}/qemu-ga-x86_64.msi"
    options: dict[str, object] = {"custom.install_qemu_ga": url}
    if checksum:
        options["virtio_qemu_guest_agent.url"] = url
        options["virtio_qemu_guest_agent.checksum"] = checksum
    code, message = fails(job, capsys, options)
    assert code == FAILED
    assert url in message or checksum in message
    assert expected.casefold() in message.casefold()


def test_secrets_do_not_show(
    job: Job, capsys: pytest.CaptureFixture[str], install_media: Callable[[MediaSpec], Path]
) -> None:
    """No password is printed, not even with ``--debug``, and none is in the guest's copy."""
    options: dict[str, object] = {
        **job.options,
        "vm.administrator_password": "S3cret-of-the-administrator",
        "DEFAULT.zip_password": "S3cret-of-the-archive",
        "DEFAULT.compression_format": "zip",
        "DEFAULT.image_path": job.folder / "win.zip",
    }
    secret = Job(job.folder, job.wim, options)
    assert main(["--debug", "cloud-image", str(secret.write())]) == 0
    captured = capsys.readouterr()
    assert "S3cret" not in captured.out + captured.err


def test_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A parameter the function does not have is refused with those it has."""
    assert main(["New-WindowsCloudImage", "-Config", "x", "-Nope", "y"]) == BAD
    assert "Its parameters are -ConfigFilePath." in capsys.readouterr().err
