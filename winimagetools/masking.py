"""What must never be shown: passwords, keys, and the secret parts of URLs.

A secret is replaced in every way it is usually written (quoted for a shell, for Python, JSON,
XML or a URL). One of fewer than :data:`SHORTEST` characters is part of ordinary words: to
replace it everywhere would make a text unreadable and give it away at the same time, so it is
replaced only where it stands as the value of something called a password or key.

This module owns the list of secrets of the running process for as long as it lives.
"""

from __future__ import annotations

import functools
import html
import json
import re
import shlex
from collections.abc import Iterator
from urllib.parse import quote, unquote

STARS = "***"
SHORTEST = 4
"""Characters a secret must have to be searched for in running text."""
_LONG_USER = 8
"""A user name without a password may be a token when it is so long."""
_NAMES = r"passw|passphrase|pwd|token|secret|signature|\bsig\b|credential|key|auth|session|\bcode\b"
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
_HARMLESS = re.compile(r"\d{0,10}", re.ASCII)
"""Values in a query that say nothing: numbers of a page or a link."""
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://"
_URL = re.compile(rf"({_SCHEME})((?:(?![,;|]{_SCHEME})[^\s\"<>])+)")
"""Up to a blank, or to the next URL of a list."""
_LOOSE = re.compile(r"([?&])([^\s=&?#\"'<>]+)=([^\s&#\"'<>]+)")
"""A parameter of a URL whose beginning is not there, as in messages about connections."""
_ENDS = ".,;:)]}'`"
"""What follows a URL in a sentence."""

_secrets: set[str] = set()


def add_secret(secret: str) -> None:
    """Never show ``secret`` again: it is replaced by ``***`` in every text."""
    if secret.strip():
        _secrets.add(secret)


def add_url(url: str) -> None:
    """Never show the secret parts of a URL again, also where they stand alone.

    Args:
        url: any text; what is no URL is left alone.
    """
    for match in _URL.finditer(url):
        for part in _secret_parts(match[2]):
            add_secret(part)
            add_secret(unquote(part))


def mask(text: str) -> str:
    """``text`` with every known secret, and the secret parts of every URL, replaced."""
    for secret in sorted(_secrets, key=len, reverse=True):
        if len(secret) < SHORTEST:
            text = _after_its_name(secret).sub(rf"\g<1>{STARS}", text)
            continue
        for written in _ways_to_write(secret):
            text = text.replace(written, STARS)
    text = _URL.sub(lambda match: match[1] + _masked_url(match[2]), text)
    return _LOOSE.sub(_masked_loose, text)


@functools.cache
def _ways_to_write(secret: str) -> tuple[str, ...]:
    ways = (
        secret,
        shlex.quote(secret).removeprefix("'").removesuffix("'"),
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        html.escape(secret),
        html.escape(secret, quote=False),
        quote(secret.encode("utf-8", "surrogateescape"), safe=""),
    )
    return tuple(sorted(set(ways), key=len, reverse=True))


@functools.cache
def _after_its_name(secret: str) -> re.Pattern[str]:
    name = rf"(?i:{_NAMES})[\w.]*[\"']?\s*[=:]\s*[\"']?"
    return re.compile(rf"({name}){re.escape(secret)}(?=[\"']?(?:[\s,;&}})\]]|\.?$))", re.MULTILINE)


def _split(rest: str) -> tuple[str, str, str]:
    """Who logs on, host and path, query and fragment: what follows ``://``, cut twice.

    A password may hold the characters that end a host although they should be escaped; such
    a URL has something that is no port behind its first colon, and an ``@`` further on.
    """
    host = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    user, at, _ = host.rpartition("@")
    if not at and not re.fullmatch(r"(\[[^]]*\]|[^:]*)(:\d*)?", host):
        user, at, _ = rest.rpartition("@")
    rest = rest[len(user + at) :]
    query = re.search(r"[?#]", rest)
    place = query.start() if query else len(rest)
    return user, rest[:place], rest[place:]


def _secret_parts(rest: str) -> Iterator[str]:
    user, _, query = _split(rest)
    name, colon, password = user.partition(":")
    if colon:
        yield password
    elif len(name) >= _LONG_USER:
        yield name
    for parameter in re.split(r"[?&#]", query):
        name, _, value = parameter.partition("=")
        if _SECRET_NAME.search(name):
            yield value


def _masked_url(rest: str) -> str:
    end = len(rest.rstrip(_ENDS))
    user, host, query = _split(rest[:end])
    shown = f"{STARS}@" if user else ""
    return shown + host + re.sub(r"([?&#])([^?&#]*)", _masked_parameter, query) + rest[end:]


def _masked_parameter(match: re.Match[str]) -> str:
    """A parameter with its value hidden; a fragment without a value is a place in a page."""
    name, equals, value = match[2].partition("=")
    if not equals:
        return match[0] if match[1] == "#" or _HARMLESS.fullmatch(name) else match[1] + STARS
    if _HARMLESS.fullmatch(value) and not _SECRET_NAME.search(name):
        return match[0]
    return f"{match[1]}{name}={STARS}"


def _masked_loose(match: re.Match[str]) -> str:
    if not _SECRET_NAME.search(match[2]):
        return match[0]
    ends = match[3][len(match[3].rstrip(_ENDS)) :]
    return f"{match[1]}{match[2]}={STARS}{ends}"
