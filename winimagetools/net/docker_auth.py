"""Credentials for a registry, from where docker and podman keep them.

Files and keys are those of containers-auth.json(5) and of docker's ``config.json``; helpers
speak the protocol of docker-credential-helpers.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from winimagetools import log
from winimagetools.errors import CommandError, RequestError
from winimagetools.files.small import read_json
from winimagetools.masking import add_secret
from winimagetools.run import Tool, run

_TOKEN_USER = "<token>"  # noqa: S105 - what a helper calls the user of an identity token
_DOCKER_HUB = ("registry-1.docker.io", "docker.io")
_SCHEMES = ("https://", "http://")


@dataclass(frozen=True)
class Credentials:
    """Who logs in; ``identity`` is a token that stands for user and password."""

    user: str = ""
    password: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)


def find_credentials(host: str, repository: str) -> Credentials | None:
    """What is kept for a registry; None when nothing is.

    Args:
        host: of the registry, with its port.
        repository: in it; podman may keep a log-in for a part of a registry.

    Raises:
        RequestError: a file of credentials cannot be read.
        HostError: a helper it names is not installed.
    """
    for path in _files(os.environ):
        if path.is_file():
            found = _in_file(path, host, repository)
            if found is not None:
                for secret in (found.password, found.identity):
                    add_secret(secret)
                log.LOGGER.debug("credentials for %s are those of %s", host, path)
                return found
    return None


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    if named := environment.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
        return
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        yield Path(runtime, "containers", "auth.json")
    home = _home()
    if home is not None:
        yield home / ".config" / "containers" / "auth.json"
    if docker := environment.get("DOCKER_CONFIG"):
        yield Path(docker) / "config.json"
    elif home is not None:
        yield home / ".docker" / "config.json"


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # this account has none
        return None


def _in_file(path: Path, host: str, repository: str) -> Credentials | None:
    wanted = list(_keys(host, repository))
    try:
        record = read_json(path)
        auths = {_plain(key): value for key, value in record.get("auths", {}).items()}
        helpers = {_plain(key): value for key, value in record.get("credHelpers", {}).items()}
        helper = helpers.get(wanted[-1]) or record.get("credsStore")
        for key in wanted:
            if auths.get(key):
                return _decoded(auths[key])
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise RequestError(
            f"The credentials in {path} cannot be read.",
            "Log in again with docker login or podman login, or move the file away.",
        ) from error
    return _of_helper(str(helper), host) if helper else None


def _keys(host: str, repository: str) -> Iterator[str]:
    """Names a log-in may have, the most special first."""
    parts = [host, *repository.split("/")]
    for count in range(len(parts), 0, -1):
        yield "/".join(parts[:count])
    if host == _DOCKER_HUB[0]:
        yield from ("index.docker.io", _DOCKER_HUB[1])


def _plain(key: str) -> str:
    """A name without the parts that docker has put around it over the years."""
    for scheme in _SCHEMES:
        key = key.removeprefix(scheme)
    return key.rstrip("/").removesuffix("/v1").removesuffix("/v2")


def _decoded(entry: Mapping[str, Any]) -> Credentials | None:
    if token := entry.get("identitytoken"):
        return Credentials(identity=str(token))
    if "auth" not in entry:
        return None
    try:
        text = base64.b64decode(str(entry["auth"]), validate=True).decode()
    except binascii.Error as error:
        raise ValueError from error
    user, _, password = text.partition(":")
    return Credentials(user, password.rstrip("\0"))


def _of_helper(helper: str, host: str) -> Credentials | None:
    name = f"docker-credential-{helper}"
    tool = Tool(name, name, "log in to the registry")
    try:
        record = json.loads(run(tool, ["get"], input_text=host, timeout=60))
        user, secret = str(record["Username"]), str(record["Secret"])
    except CommandError:  # it has nothing for this registry
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RequestError(f"{name} gave no credentials for {host}.", "Log in again.") from error
    return Credentials(identity=secret) if user == _TOKEN_USER else Credentials(user, secret)
