"""Times of files on this host."""

from __future__ import annotations

from pathlib import Path

from winimagetools.files.times import set_times


def test_everything_in_a_folder_gets_the_time(tmp_path: Path) -> None:
    """Folders too, but not what a link leads to."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch()
    before = elsewhere.stat().st_mtime
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").touch()
    (folder / "link").symlink_to(elsewhere)
    set_times(folder, 1_600_000_000)
    for name in ("inner", "inner/file"):
        assert (folder / name).stat().st_mtime == 1_600_000_000
    assert elsewhere.stat().st_mtime == before
