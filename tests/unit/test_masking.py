"""Secrets and the secret parts of URLs never show, and what is no secret stays readable."""

from __future__ import annotations

import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winimagetools.masking import add_secret, add_url, mask


@pytest.mark.parametrize("secret", ["it's me", 'say "no"', "a\\b<c>&d", "päss wörd", "x\ty\n123"])
@pytest.mark.parametrize("write", [str, repr, json.dumps, lambda text: shlex.join(["-p", text])])
def test_a_secret_is_hidden_however_it_is_written(secret: str, write: object) -> None:
    """A shell, Python and JSON quote and escape it."""
    assert callable(write)
    add_secret(secret)
    hidden = mask(f"before {write(secret)} after")
    assert hidden.startswith("before ")
    assert hidden.endswith(" after")
    assert "***" in hidden
    assert not any(word in hidden for word in ("it", "say", "<c>", "rd", "123"))


def test_the_longer_secret_goes_first() -> None:
    """Nothing of it is left when a shorter one is inside of it."""
    add_secret("Passw0rd")
    add_secret("Passw0rd-long")
    assert mask("Passw0rd-long and Passw0rd") == "*** and ***"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("12:00:01      Write a disk (GPT) at a/b", "12:00:01      Write a disk (GPT) at a/b"),
        ("administrator_password = a", "administrator_password = ***"),
        ("zip_password=a\ncpu_count = 1", "zip_password=***\ncpu_count = 1"),
        (
            '{"administrator_password": "a", "b": "a"}',
            '{"administrator_password": "***", "b": "a"}',
        ),
        ("The password: a.", "The password: ***."),
        ("administrator_password = abc", "administrator_password = abc"),
    ],
)
def test_a_password_of_one_letter_does_not_mangle_the_output(text: str, shown: str) -> None:
    """It is hidden where it stands as a password and nowhere else."""
    add_secret("a")
    assert mask(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://h/a.msi", "https://h/a.msi"),
        ("https://h:8080/a@b/c.msi", "https://h:8080/a@b/c.msi"),
        ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
        ("https://joe@h/a", "https://***@h/a"),
        ("https://joe:pw@h/a", "https://***@h/a"),
        ("ftp://joe:p@w@h:21/a", "ftp://***@h:21/a"),
        ("https://joe:p/w?x#y@h/a", "https://***@h/a"),
        ("https://joe:it's@h/a", "https://***@h/a"),
        ("see 'https://joe:pw@h/a?sig=abc%2F', then", "see 'https://***@h/a?sig=***', then"),
        ("(https://h/a?token=1234).", "(https://h/a?token=***)."),
        ("https://h/a?linkid=2195587&sv=2020-08-04", "https://h/a?linkid=2195587&sv=***"),
        ("https://h/a?c2VjcmV0", "https://h/a?***"),
        ("https://h/a#access_token=x", "https://h/a#access_token=***"),
        ("https://h/a#the-place", "https://h/a#the-place"),
        ("a=https://u:v@h/x,https://w:z@h/y", "a=https://***@h/x,https://***@h/y"),
        ("GET /a?X-Amz-Signature=abc&n=1 failed", "GET /a?X-Amz-Signature=***&n=1 failed"),
        ("<url>https://u:v@h/x</url>", "<url>https://***@h/x</url>"),
        ("winimagetools://", "winimagetools://"),
    ],
)
def test_urls(text: str, shown: str) -> None:
    """User, password and the values of parameters are hidden; host and path are shown."""
    assert mask(text) == shown
    assert mask(shown) == shown


def test_the_secrets_of_a_url_are_hidden_where_they_stand_alone() -> None:
    """As in the message of a server; also decoded. Ordinary parameters are not secrets."""
    add_url("https://joe:p%40ssword@h/a.msi?token=abcd%2Fefgh&file=agent.msi")
    assert mask("user joe, p%40ssword p@ssword") == "user joe, *** ***"
    assert mask("abcd/efgh abcd%2Fefgh agent.msi") == "*** *** agent.msi"
    add_url("https://ghp_0123456789@h/")
    assert mask("ghp_0123456789") == "***"
    add_url("no URL, password: x")
    assert mask("no URL") == "no URL"


@given(
    st.text("abc:/@?#&=%.'", min_size=0, max_size=12),
    st.text("abc:/?#&=%.", min_size=0, max_size=12),
)
def test_whatever_stands_before_the_at_sign_is_hidden(password: str, path: str) -> None:
    """A password is not escaped by everybody."""
    hidden = mask(f"get https://user:SECRET{password}@host/{path} now")
    assert "SECRET" not in hidden
    assert hidden.startswith("get https://***@")
    assert hidden.endswith(" now")


@given(st.text())
def test_any_text_can_be_masked(text: str) -> None:
    """Without an error; without URLs and secrets nothing changes."""
    assert "://" in text or "?" in text or "&" in text or mask(text) == text
