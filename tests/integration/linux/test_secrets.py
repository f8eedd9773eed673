"""Of a configuration full of secrets none is in anything that is made beside the image."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.integration.linux.build import Job
from tests.integration.linux.web import Server
from winimagetools.cli.main import main
from winimagetools.output.publish.choose import TARGETS

SECRETS = {
    "vm.administrator_password": "Geheim-Admin-4711",
    "DEFAULT.zip_password": "Geheim-Archive-4712",
    "DEFAULT.product_key": "VDYBN-27WPP-V4HQT-9VMD4-VMK7H",
}
USER_SECRET, QUERY_SECRET, OWN_SECRET = "Geheim-User-4713", "Geheim-Query-4714", "Geheim-Own-4715"
GIVEN = ["resource_group=g", "storage_account=s", "image=r.example/a", "vmid=1", "switch=s"]
GIVEN += ["bucket=b", "region=r"]


def ways_to_write(secret: str) -> Iterator[bytes]:
    """As it is, as Windows has it, in an address, and as answer files hide passwords."""
    yield secret.encode()
    yield secret.encode("utf-16-le")
    yield quote(secret).encode()
    for text in (secret, f"{secret}AdministratorPassword", f"{secret}Password"):
        yield base64.b64encode(text.encode("utf-16-le"))
        yield base64.b64encode(text.encode())


def found_in(content: bytes) -> list[str]:
    """The secrets that are somewhere in it."""
    secrets = (*SECRETS.values(), USER_SECRET, QUERY_SECRET, OWN_SECRET)
    return [item for item in secrets if any(way in content for way in ways_to_write(item))]


def publish_all(image: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Everything that is said for each target, refusals too."""
    capsys.readouterr()
    for name, target in TARGETS.items():
        known = {parameter.name for parameter in target.parameters}
        given = [item for item in GIVEN if item.partition("=")[0] in known]
        main(["publish", str(image), name, *(f"--with={item}" for item in given)])
    said = capsys.readouterr()
    return said.out + said.err


def test_no_secret_is_told(
    tmp_path: Path,
    install_wim: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not in report, page, SBOM, provenance, log, cache, summary and commands to publish."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    address = server.url.replace("http://", f"http://me:{USER_SECRET}@")
    options = {
        **SECRETS,
        "custom.install_qemu_ga": f"{address}?sig={QUERY_SECRET}",
        "mine.api_token": OWN_SECRET,
    }
    job = Job(tmp_path, install_wim, options)
    key, log = tmp_path / "key.pem", tmp_path / "build.log"
    openssl = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)]
    subprocess.run(openssl, check=True, capture_output=True)
    more = ["--checksum", "--sign-key", str(key), "--json", "--debug", "--log-file", str(log)]
    assert job.build(*more) == 0
    said = capsys.readouterr()
    told = said.out + said.err + publish_all(job.image, capsys)
    assert "Geheim" in job.write().read_text()
    assert "windows/win2022" in told
    assert "127.0.0.1" in told
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    made = [path for path in made if path not in (job.image, tmp_path / "config.ini")]
    names = {path.name for path in made}
    assert {"report.json", "report.html", "sbom.cdx.json", "provenance.dsse.json"} <= names
    assert "build.log" in names
    wrong = {str(path): found_in(path.read_bytes()) for path in made}
    assert {path: what for path, what in wrong.items() if what} == {}
    payload = (tmp_path / "win.raw.report" / "provenance.dsse.json").read_text()
    inner = base64.b64decode(payload.partition('"payload": "')[2].partition('"')[0])
    assert b"slsa.dev" in inner
    assert found_in(inner) == []
    assert found_in(told.encode()) == []


@pytest.mark.parametrize("secret", [*SECRETS.values(), USER_SECRET, QUERY_SECRET, OWN_SECRET])
def test_a_secret_would_be_found(secret: str) -> None:
    """In each way it may be written."""
    for way in ways_to_write(secret):
        assert found_in(b"before" + way + b"after") == [secret]
