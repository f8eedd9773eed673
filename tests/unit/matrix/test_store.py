"""The folder of finished stages, shared by builders."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
import time
from pathlib import Path

import pytest

from winimagetools.errors import BuildError, HostError
from winimagetools.matrix import claims
from winimagetools.matrix.claims import claimed
from winimagetools.matrix.keeping import choose_to_remove, list_stages, prune, verify
from winimagetools.matrix.store import RECORD, StageName, StageStore, State, record_of

NAME = StageName("offline", "a" * 64)
OTHER = StageName("image", "b" * 64)
HOUR = 3600.0


@pytest.fixture
def store(tmp_path: Path) -> StageStore:
    """An empty one."""
    return StageStore(tmp_path / "cache")


def make(store: StageStore, name: StageName = NAME, data: bytes = b"disk") -> Path:
    """A finished stage; the path of its file."""
    with store.private(name) as folder:
        file = folder / "disk.raw"
        file.write_bytes(data)
        store.commit(name, folder, record_of(file, "disk.raw", seconds=1.5, parts={"a": "1"}))
    return store.folder(name) / "disk.raw"


def test_a_stage(store: StageStore) -> None:
    """It is missing, then there with its record, and nothing else is left."""
    assert store.state(NAME) is State.MISSING
    file = make(store)
    assert store.state(NAME) is State.INTACT
    assert store.use(NAME) == file
    record = store.record(NAME)
    assert record is not None
    assert (record.size, record.seconds, record.parts) == (4, 1.5, {"a": "1"})
    assert store.names() == [NAME]
    assert list(store.work.iterdir()) == []
    assert stat.S_IMODE(store.root.stat().st_mode) == 0o700


def test_what_was_damaged(store: StageStore) -> None:
    """Other bytes, another size, no record: noticed. A copy of the same bytes is as good."""
    file = make(store)
    status = file.stat()
    copy = file.with_name("copy")
    copy.write_bytes(b"disk")
    copy.replace(file)
    assert store.state(NAME) is State.INTACT
    file.write_bytes(b"DISK")
    assert store.state(NAME) is State.DAMAGED
    with pytest.raises(BuildError, match="is gone"):
        store.use(NAME)
    file.write_bytes(b"disk and more")
    assert store.state(NAME) is State.DAMAGED
    (store.folder(NAME) / RECORD).write_text("{")
    assert store.state(NAME) is State.DAMAGED
    make(store)
    assert store.state(NAME) is State.INTACT
    file.unlink()
    assert store.state(NAME) is State.MISSING
    assert status.st_size == 4


def test_bytes_that_rot(store: StageStore) -> None:
    """Without a new time only a thorough look sees it, which ``verify`` takes."""
    file = make(store)
    status = file.stat()
    file.write_bytes(b"Disk")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert store.state(NAME) is State.INTACT
    assert [state for _, state in verify(store)] == [State.DAMAGED]


def test_a_sha256_that_is_known(store: StageStore) -> None:
    """The file is not read again to be recorded, and is compared with it afterwards."""
    with store.private(NAME) as folder:
        file = folder / "disk.raw"
        file.write_bytes(b"disk")
        known = hashlib.sha256(b"disk").hexdigest()
        record = record_of(file, "disk.raw", seconds=0, parts={}, sha256=known)
        assert (record.sha256, record.content) == (known, "")
        store.commit(NAME, folder, record)
    assert store.state(NAME, thorough=True) is State.INTACT
    (store.folder(NAME) / "disk.raw").write_bytes(b"DISK")
    assert store.state(NAME) is State.DAMAGED


def test_the_first_of_two_wins(store: StageStore) -> None:
    """Two builders that made the same stage: the second one's is dropped, not put over it."""
    with store.private(NAME) as mine, store.private(NAME) as theirs:
        for folder, data in ((mine, b"mine"), (theirs, b"theirs")):
            (folder / "disk.raw").write_bytes(data)
        for folder in (mine, theirs):
            record = record_of(folder / "disk.raw", "disk.raw", seconds=0, parts={})
            store.commit(NAME, folder, record)
    assert store.use(NAME).read_bytes() == b"mine"
    assert list(store.work.iterdir()) == []


def test_many_at_once(store: StageStore) -> None:
    """One makes it, the others wait and find it."""
    made: list[int] = []

    def build(number: int) -> None:
        with claimed(store.claims, str(NAME), pause=0.01):
            if store.state(NAME) is State.MISSING:
                made.append(number)
                time.sleep(0.05)
                make(store, data=bytes([number]))

    threads = [threading.Thread(target=build, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert store.use(NAME).read_bytes() == bytes(made)
    assert list(store.claims.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_claim_of_a_process_that_is_gone(store: StageStore) -> None:
    """It is taken over at once on this machine, after a while when it is another one's."""
    folder = store.claims / str(NAME)
    folder.mkdir()
    owner = {"machine": claims._machine(), "process": 2**22 + 1, "began": "5"}
    (folder / "owner.json").write_text(json.dumps(owner))
    with claimed(store.claims, str(NAME)):
        assert json.loads((folder / "owner.json").read_text())["process"] == os.getpid()
    folder.mkdir()
    (folder / "owner.json").write_text(json.dumps({**owner, "machine": "another"}))
    assert not claims.is_abandoned(folder)
    long_ago = time.time() - claims.ABANDONED - 5
    os.utime(folder, (long_ago, long_ago))
    assert claims.is_abandoned(folder)
    with claimed(store.claims, str(NAME)):
        pass
    assert list(store.claims.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_what_a_process_that_is_gone_has_left(tmp_path: Path) -> None:
    """Only what is signed, by this machine, by a process that runs no more."""
    assert not claims.is_left(tmp_path)
    claims.sign(tmp_path)
    assert not claims.is_left(tmp_path)
    owner = json.loads((tmp_path / "owner.json").read_text())
    for changed, left in (({"began": "1"}, True), ({"began": "1", "machine": "other"}, False)):
        (tmp_path / "owner.json").write_text(json.dumps({**owner, **changed}))
        assert claims.is_left(tmp_path) is left


def test_a_claim_is_renewed(store: StageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner shows that it lives."""
    monkeypatch.setattr(claims, "RENEWED", 0.01)
    with claimed(store.claims, str(NAME)):
        folder = store.claims / str(NAME)
        os.utime(folder, (5, 5))
        deadline = time.monotonic() + 5
        while folder.stat().st_mtime == 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert folder.stat().st_mtime > 5


def test_the_key_is_made_once(tmp_path: Path) -> None:
    """And belongs to its owner."""
    first, second = StageStore(tmp_path / "c"), StageStore(tmp_path / "c")
    assert first.key == second.key
    assert len(first.key) == 32
    assert stat.S_IMODE((tmp_path / "c" / "key").stat().st_mode) == 0o600
    assert StageStore(tmp_path / "d").key != first.key


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """One sentence says so."""
    (tmp_path / "file").touch()
    with pytest.raises(
        HostError, match=r"The folder for stages .*file/cache cannot be used: Not a"
    ):
        StageStore(tmp_path / "file" / "cache")


@pytest.mark.parametrize("thing", ["work/old project", "key/of the door", "notes.txt"])
def test_a_folder_with_other_things(tmp_path: Path, thing: str) -> None:
    """Is no folder of stages: pruning would take away what lies in ``work`` of it."""
    other = tmp_path / "home" / thing
    other.parent.mkdir(parents=True)
    other.write_bytes(b"years of work")
    os.utime(other, (5, 5))
    with pytest.raises(HostError, match=r"home holds something else than stages") as caught:
        StageStore(tmp_path / "home")
    assert "a folder of its own" in caught.value.hint
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == [other]


def test_a_file_system_of_its_own(tmp_path: Path) -> None:
    """What ext4 and NFS have in their topmost folder is no other thing."""
    for name in ("lost+found", ".snapshot"):
        (tmp_path / "cache" / name).mkdir(parents=True)
    assert StageStore(tmp_path / "cache").names() == []
    assert StageStore(tmp_path / "cache").names() == []


def age(store: StageStore, name: StageName, hours: float) -> None:
    """Let a stage be used so many hours ago."""
    when = time.time() - hours * HOUR
    os.utime(store.folder(name) / RECORD, (when, when))


def test_prune(store: StageStore, tmp_path: Path) -> None:
    """What was used longest ago goes first; nothing that was used within the hour."""
    names = [StageName("offline", letter * 64) for letter in "1234"]
    for hours, name in zip((100, 30, 2, 0.5), names, strict=True):
        make(store, name, bytes(8192) + os.urandom(8192))
        age(store, name, hours)
    assert [kept.name for kept in list_stages(store)] == names[::-1]
    assert prune(store, age=None, size=None) == []
    assert [kept.name for kept in prune(store, age=48 * HOUR, size=None)] == [names[0]]
    one = list_stages(store)[0].size
    assert one >= 16384
    assert [kept.name for kept in prune(store, age=None, size=2 * one)] == [names[1]]
    assert [kept.name for kept in prune(store, age=0, size=0)] == [names[2]]
    assert store.names() == [names[3]]
    assert list(store.work.iterdir()) == []


def test_prune_leaves_what_is_being_made(store: StageStore) -> None:
    """A stage that somebody claims stays."""
    make(store)
    age(store, NAME, 5)
    with claimed(store.claims, str(NAME)):
        assert prune(store, age=0, size=None) == []
    assert [kept.name for kept in prune(store, age=0, size=None)] == [NAME]


def test_prune_never_removes_images(store: StageStore, tmp_path: Path) -> None:
    """The record of an image that is there stays; that of one that is gone goes."""
    image = tmp_path / "win.qcow2"
    image.write_bytes(b"image")
    with store.private(OTHER) as folder:
        store.commit(OTHER, folder, record_of(image, str(image), seconds=0, parts={}))
    age(store, OTHER, 1000)
    (kept,) = list_stages(store)
    assert (kept.delivered, kept.file) == (True, image)
    assert prune(store, age=0, size=0) == []
    image.unlink()
    assert store.state(OTHER) is State.MISSING
    assert len(prune(store, age=0, size=0)) == 1


def test_what_was_left_over(store: StageStore) -> None:
    """What a builder that was killed was making is removed after a day."""
    left, new = store.work / "left", store.work / "new"
    for folder in (left, new):
        folder.mkdir()
        (folder / "disk.raw").write_bytes(b"x")
    when = time.time() - 25 * HOUR
    for path in (left / "disk.raw", left):
        os.utime(path, (when, when))
    prune(store, age=None, size=None)
    assert list(store.work.iterdir()) == [new]


def test_choose_counts_every_byte(store: StageStore) -> None:
    """A limit that all keep is no reason to remove anything."""
    make(store)
    age(store, NAME, 5)
    stages = list_stages(store)
    total = sum(kept.size for kept in stages)
    now = time.time()
    assert list(choose_to_remove(stages, now=now, age=None, size=total)) == []
    assert len(list(choose_to_remove(stages, now=now, age=None, size=total - 1))) == 1


def test_names() -> None:
    """A folder of another name is none."""
    assert StageName.parse(str(NAME)) == NAME
    for text in ("offline", "offline-abc", ".tmp"):
        with pytest.raises(ValueError, match="no name of a stage"):
            StageName.parse(text)
