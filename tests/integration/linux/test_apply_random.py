"""Both engines write the same volume of whatever there is in an image."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures import odd_tree, windows_tree
from fixtures.filetree import Bulk, FileTree
from tests.integration.linux.apply_engines import both, described, size_in_use
from tests.integration.linux.test_apply import make_disk
from tests.ntfs import check_file
from winimagetools.host.staged_tree import StagedTree
from winimagetools.run import Tool, run

WIMLIB = Tool("wimlib-imagex", "wimtools", "read NTFS volumes back")
NAMES = st.text("abzXY019-_~()äßΩжñ日\U0001f4be", min_size=1, max_size=40)
FOLDERS = st.sampled_from(["", "Windows", "Windows/System32", "a/b/c/d", "Program Files/x"])
SIZES = st.one_of(st.sampled_from(odd_tree.SIZES), st.integers(0, 300_000))
FILES = st.tuples(FOLDERS, NAMES, SIZES, st.booleans(), st.sampled_from([0, 0x20, 0x21, 0x27]))
SHORT = st.text("ABCXYZ019", min_size=1, max_size=6).map(lambda name: f"{name}~1.DLL")
MORE = st.tuples(
    st.sampled_from(["link", "stream", "short", "security"]), st.integers(0), NAMES, SHORT, SIZES
)
SECURITY = ("O:BAG:SYD:(A;;FA;;;BA)(A;;FR;;;WD)", "O:SYG:SYD:P(A;;FA;;;SY)")
STAGED = st.tuples(FOLDERS, NAMES, SIZES, st.booleans())


@contextmanager
def untraced() -> Iterator[None]:
    """Hypothesis follows every line, which takes far too long here."""
    trace = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(trace)


def make_tree(files: list[tuple], more: list[tuple]) -> FileTree:  # type: ignore[type-arg]
    """A tree of what was drawn; what fits nowhere is left out."""
    tree = FileTree(windows_tree.ROOT_SECURITY, windows_tree.PLAIN_FILE)
    made = []
    for number, (folder, name, size, packs, bits) in enumerate(files):
        content = Bulk(number % 5, size, compressible=packs)
        made.append((folder, tree.file(f"{folder}/{name}", content, attributes=bits)))
    taken = set()
    links_last = sorted(more, key=lambda each: each[0] == "link")
    for number, (what, which, name, short, size) in enumerate(links_last):
        folder, entry = made[which % len(made)]
        if what == "link" and not entry.link_group:
            tree.link(f"links {number}/{name}", entry, number + 1)
        elif what == "stream":
            entry.streams[name] = Bulk(number, size, compressible=True)
        elif what == "short" and (folder, short) not in taken:
            entry.short_name = short
            taken.add((folder, short))
        elif what == "security":
            entry.security = SECURITY[which % len(SECURITY)]
    return tree


def stage(tree: StagedTree, staged: list[tuple]) -> None:  # type: ignore[type-arg]
    """Files that are added, replaced and taken away."""
    for number, (folder, name, size, removes) in enumerate(staged):
        path = f"{folder}/{name}".lstrip("/")
        if removes:
            there = [f"{folder}/{one}".lstrip("/") for one in tree.list_dir(folder)]
            for one in [one for one in there if not tree.is_dir(one)][:1]:
                tree.remove(one)
        elif not tree.is_dir(path):
            tree.write_bytes(path, b"%d" % number * (size // 4))


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    files=st.lists(FILES, min_size=1, max_size=60),
    more=st.lists(MORE, max_size=30),
    staged=st.lists(STAGED, max_size=12),
    packing=st.sampled_from(["none", "LZX", "XPRESS"]),
)
def test_random_trees(
    files: list[tuple],  # type: ignore[type-arg]
    more: list[tuple],  # type: ignore[type-arg]
    staged: list[tuple],  # type: ignore[type-arg]
    packing: str,
) -> None:
    """Contents, descriptors, attributes, times, names and links are equal, and all is sound."""
    with tempfile.TemporaryDirectory() as name, untraced():
        folder = Path(name)
        plain = odd_tree.write(folder / "plain.wim", make_tree(files, more))
        run(WIMLIB, ["export", plain, "1", folder / "w.wim", f"--compress={packing}"])
        found = []
        for engine, extract in both():
            place = folder / engine
            place.mkdir()
            disk = make_disk(place, folder / "w.wim")
            stage(disk.tree, staged)
            volume = size_in_use(place / "volume")
            extract(disk, volume)
            assert check_file(volume, fresh=True) == ()
            found.append(described(volume, place / "back.wim", times=not staged))
        assert found[0] == found[1]
