"""Where credentials for a registry are found."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from winimagetools.errors import HostError, RequestError
from winimagetools.masking import mask
from winimagetools.net.docker_auth import Credentials, find_credentials


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without anything in it."""
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def write(path: Path, record: object) -> None:
    """A file of credentials."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))


def entry(text: str) -> dict[str, str]:
    """As docker writes user and password."""
    return {"auth": base64.b64encode(text.encode()).decode()}


def test_nothing(home: Path) -> None:
    """Nobody is logged in; one without a password is nobody."""
    assert find_credentials("r.example", "a") is None
    write(home / ".docker/config.json", {"auths": {"r.example": {}, "s.example": entry("u:p")}})
    assert find_credentials("r.example", "a") is None


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("r.example", "r.example"),
        ("https://r.example", "r.example"),
        ("http://r.example:5000/v2/", "r.example:5000"),
        ("https://index.docker.io/v1/", "registry-1.docker.io"),
    ],
)
def test_of_docker(home: Path, key: str, host: str) -> None:
    """Under any name docker gave a registry; a colon may be in the password, which is hidden."""
    write(home / ".docker/config.json", {"auths": {key: entry("me:geheim:77")}})
    assert find_credentials(host, "a") == Credentials("me", "geheim:77")
    assert mask("it is geheim:77") == "it is ***"
    assert "geheim" not in repr(find_credentials(host, "a"))


def test_of_podman(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files go first, the most special name in them; one that is named is the only one."""
    write(home / ".docker/config.json", {"auths": {"r.example": entry("docker:1")}})
    auths = {"r.example": entry("all:1"), "r.example/team/windows": entry("team:1")}
    write(home / "run/containers/auth.json", {"auths": auths})
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "run"))
    found = find_credentials("r.example", "team/windows/2022")
    assert found is not None
    assert found.user == "team"
    other = find_credentials("r.example", "teams/x")
    assert other is not None
    assert other.user == "all"
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(home / "none"))
    assert find_credentials("r.example", "a") is None


def test_an_identity_token(home: Path) -> None:
    """It stands for user and password."""
    write(home / ".docker/config.json", {"auths": {"r.example": {"identitytoken": "tok-77"}}})
    assert find_credentials("r.example", "a") == Credentials(identity="tok-77")


@pytest.mark.parametrize("record", ["[]", "{", '{"auths": {"r.example": {"auth": "?"}}}'])
def test_a_damaged_file(home: Path, record: str) -> None:
    """It is named."""
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text(record)
    with pytest.raises(RequestError, match=r"config\.json cannot be read"):
        find_credentials("r.example", "a")


def test_a_helper_that_is_not_there(home: Path) -> None:
    """It is named too."""
    write(home / ".docker/config.json", {"credHelpers": {"r.example": "none-such"}})
    with pytest.raises(HostError, match="docker-credential-none-such was not found"):
        find_credentials("r.example", "a")


def test_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home nothing is taken for it, least of all the folder one happens to be in."""
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)
    write(tmp_path / ".docker/config.json", {"auths": {"r.example": entry("thief:pw-77")}})
    assert find_credentials("r.example", "a") is None


def test_the_home_of_the_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no variable names a home, it is that of the account, as for docker."""
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path.replace("~", str(tmp_path)))
    write(tmp_path / ".docker/config.json", {"auths": {"r.example": entry("me:pw-78")}})
    assert find_credentials("r.example", "a") == Credentials("me", "pw-78")


def test_nested_without_end(home: Path) -> None:
    """JSON that nobody can parse is a file that cannot be read."""
    place = home / ".docker/config.json"
    place.parent.mkdir()
    place.write_text("[" * 100_000)
    with pytest.raises(RequestError, match="cannot be read"):
        find_credentials("r.example", "a")


def test_the_folder_of_docker(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DOCKER_CONFIG names another one; what stands for a password is not shown either."""
    write(home / ".docker/config.json", {"auths": {"r.example": entry("me:pw-1")}})
    write(tmp_path / "else/config.json", {"auths": {"r.example": {"identitytoken": "token-79"}}})
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "else"))
    found = find_credentials("r.example", "a")
    assert found == Credentials(identity="token-79")
    assert "token-79" not in repr(found)
