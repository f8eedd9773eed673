"""``SHA256SUMS``."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from winimagetools.errors import MediaError
from winimagetools.output.report.sums import differences, read_sums, sums_text

SUM = hashlib.sha256(b"data").hexdigest()


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("../win.raw", f"{SUM}  ../win.raw\n"),
        ("a b\\c", f"\\{SUM}  a b\\\\c\n"),
        ("two\nlines", f"\\{SUM}  two\\nlines\n"),
        ("Bilder für", f"{SUM}  Bilder für\n"),
    ],
)
def test_a_line(path: str, line: str) -> None:
    """As GNU sha256sum writes it, and back."""
    assert sums_text({path: SUM}) == line
    assert read_sums(line, "SUMS") == {path: SUM}


@pytest.mark.parametrize("text", ["not a sum\n", f"{SUM} *binary\n", f"{SUM[:-1]}  short\n"])
def test_another_text_is_refused(text: str) -> None:
    """One error that names the file."""
    with pytest.raises(MediaError, match=r"^SUMS is no list of SHA-256 sums"):
        read_sums(text, "SUMS")


def test_differences(tmp_path: Path) -> None:
    """What was changed, and what is gone."""
    (tmp_path / "same").write_bytes(b"data")
    (tmp_path / "changed").write_bytes(b"Data")
    told = differences(tmp_path, {"same": SUM, "changed": SUM, "gone": SUM})
    assert told == [
        f"{tmp_path / 'changed'} is not what was made.",
        f"{tmp_path / 'gone'} cannot be read: No such file or directory.",
    ]
