"""One time and ids that are not random."""

from __future__ import annotations

from winimagetools.stamp import Stamp, from_filetime


def test_the_same_inputs_give_the_same_ids() -> None:
    """Whatever the time; each purpose and each call has others."""
    one, two = Stamp.of(1, "inputs"), Stamp.of(2, "inputs")
    assert one.uuid("disk") == two.uuid("disk")
    assert one.uuid("disk") != one.uuid("container")
    assert one.uuid("disk") != Stamp.of(1, "other inputs").uuid("disk")
    source, again = one.source("partitions"), two.source("partitions")
    first, second = source(16), source(16)
    assert first != second
    assert (again(16), again(16)) == (first, second)


def test_an_id_is_one_that_could_be_random() -> None:
    """Version 4 and the usual variant, so that nobody takes it for anything else."""
    found = Stamp.of(1, "inputs").uuid("disk")
    assert found.version == 4
    assert found.variant == "specified in RFC 4122"
    assert str(found) == "181b5b4c-c6a1-455e-8d64-da4ac24ac638"


def test_a_new_one_is_like_no_other() -> None:
    """For what cannot be made twice."""
    assert Stamp.fresh().seed != Stamp.fresh().seed


def test_times_as_windows_counts_them() -> None:
    """From 1601, in units of 100 ns; what is less than a second is dropped."""
    assert Stamp(0, b"").filetime == 116_444_736_000_000_000
    assert Stamp(1_700_000_000, b"").filetime == 133_444_736_000_000_000
    assert from_filetime(133_444_736_009_999_999) == 1_700_000_000
