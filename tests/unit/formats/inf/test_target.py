"""Which decorated section of an INF Windows uses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winimagetools.formats.inf.target import (
    SERVER,
    WORKSTATION,
    Decoration,
    Target,
    choose_models,
    choose_section,
)
from winimagetools.model import Architecture, WindowsVersion
from winimagetools.plan import ImageInfo

X86, AMD64, ARM64 = Architecture.X86, Architecture.AMD64, Architecture.ARM64


def target(
    version: str, architecture: Architecture = AMD64, product: int = WORKSTATION, suite: int = 0
) -> Target:
    """A Windows."""
    return Target(architecture, WindowsVersion.parse(version), product, suite)


@pytest.mark.parametrize(
    ("installation_type", "product"),
    [
        ("Client", WORKSTATION),
        ("Server", SERVER),
        ("Server Core", SERVER),
        ("Nano Server", SERVER),
        ("", WORKSTATION),
    ],
)
def test_target_of_image(installation_type: str, product: int) -> None:
    """The installation type of an image tells the product type."""
    image = ImageInfo(WindowsVersion(10, 0, 20348), ARM64, installation_type)
    assert Target.of(image) == Target(ARM64, WindowsVersion(10, 0, 20348), product)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NTamd64.6.1", Decoration("NTamd64.6.1", "amd64", 6, 1)),
        ("ntx86", Decoration("ntx86", "x86")),
        ("NT", Decoration("NT")),
        (
            "NTamd64.10.0...16299",
            Decoration("NTamd64.10.0...16299", "amd64", 10, 0, None, None, 16299),
        ),
        ("NTx86....0x80", Decoration("NTx86....0x80", "x86", None, None, None, 0x80)),
        ("NTamd64.6.0.3", Decoration("NTamd64.6.0.3", "amd64", 6, 0, 3)),
        ("NTamd64.06.01", Decoration("NTamd64.06.01", "amd64", 6, 1)),
        ("NTmips", None),
        ("amd64", None),
        ("NTamd64.six", None),
        ("NTamd64.1.2.3.4.5.6", None),
    ],
)
def test_parse(text: str, expected: Decoration | None) -> None:
    """A decoration is taken apart; what Windows would not understand is none."""
    assert Decoration.parse(text) == expected


@pytest.mark.parametrize(
    ("decorations", "windows", "expected"),
    [
        # Example 3 of Microsoft's "INF Manufacturer section".
        (["NTamd64.6.1", "NTamd64.10.0", "NTamd64.10.0...14393"], "6.1.7601", "NTamd64.6.1"),
        (["NTamd64.6.1", "NTamd64.10.0", "NTamd64.10.0...14393"], "10.0.14310", "NTamd64.10.0"),
        (
            ["NTamd64.6.1", "NTamd64.10.0", "NTamd64.10.0...14393"],
            "10.0.14393",
            "NTamd64.10.0...14393",
        ),
        # virtio-win: the Windows 11 builds are for 1709 and later.
        (["NTamd64.10.0...16299"], "10.0.14393", None),
        (["NTamd64.10.0...16299"], "10.0.26100", "NTamd64.10.0...16299"),
        # 10240 does not know build numbers; a later version does not compare them.
        (["NTamd64.10.0...10000"], "10.0.10240", None),
        (["NTamd64.10.0...16299"], "10.1.100", "NTamd64.10.0...16299"),
        (["NTamd64.10.0...16299"], "11.0.15000", "NTamd64.10.0...16299"),
        (["NTamd64.6.2"], "6.1.7601", None),
        (["NTamd64.6.2"], "6.3.9600", "NTamd64.6.2"),
        (["NTarm64.10.0", "NTx86"], "10.0.19045", None),
        (["NT.6.1", "NT"], "6.1.7601", None),
        ([], "10.0.19045", None),
        (["NTmips", "NTamd64"], "10.0.19045", "NTamd64"),
    ],
)
def test_models_for_amd64(decorations: list[str], windows: str, expected: str | None) -> None:
    """The highest version that is not above Windows wins; other machines do not count."""
    assert choose_models(decorations, target(windows)) == expected


@pytest.mark.parametrize(
    ("decorations", "product", "suite", "expected"),
    [
        (["NTamd64.6.0", "NTamd64.6.0.3"], SERVER, 0, "NTamd64.6.0.3"),
        (["NTamd64.6.0", "NTamd64.6.0.3"], WORKSTATION, 0, "NTamd64.6.0"),
        (["NTamd64.6.0.1"], SERVER, 0, None),
        (["NTamd64", "NTamd64....0x80"], SERVER, 0x80, "NTamd64....0x80"),
        (["NTamd64", "NTamd64....0x80"], SERVER, 0x10, "NTamd64"),
        (["NTamd64.6", "NTamd64....0x80"], SERVER, 0x80, "NTamd64.6"),
    ],
)
def test_product_and_suite(
    decorations: list[str], product: int, suite: int, expected: str | None
) -> None:
    """Product type and suite must match, are preferred, and count less than the version."""
    assert choose_models(decorations, target("6.1.7601", AMD64, product, suite)) == expected


@pytest.mark.parametrize(
    ("decorations", "expected"),
    [([], ""), (["NT.6.1"], "NT.6.1"), (["NTx86", "NT"], "NTx86"), (["NTamd64"], "")],
)
def test_x86_takes_plain_sections(decorations: list[str], expected: str) -> None:
    """For x86 alone a section without architecture, or without decoration, is enough."""
    assert choose_models(decorations, target("6.1.7601", X86)) == expected
    if not decorations:
        assert choose_models(decorations, target("6.1.7601", ARM64)) is None


@pytest.mark.parametrize(
    ("sections", "architecture", "expected"),
    [
        (["inst", "inst.nt", "inst.ntamd64", "inst.services"], AMD64, "inst.ntamd64"),
        (["inst", "inst.nt", "inst.ntamd64"], X86, "inst.nt"),
        (["inst", "inst.ntx86"], ARM64, "inst"),
        (["inst.nt.services"], AMD64, None),
        (["install"], AMD64, None),
        (["inst.ntamd64", "inst.ntamd64.6.1", "inst.ntamd64.11"], AMD64, "inst.ntamd64.6.1"),
    ],
)
def test_install_section(
    sections: list[str], architecture: Architecture, expected: str | None
) -> None:
    """The section of the architecture, else ``.NT``, else the plain one."""
    assert choose_section("Inst", sections, target("10.0.19045", architecture)) == expected


DECORATIONS = st.lists(
    st.builds(
        lambda arch, rest: f"NT{arch}" + "".join(f".{part}" for part in rest),
        st.sampled_from(["", "x86", "amd64", "arm64", "?"]),
        st.lists(st.sampled_from(["", "6", "10", "0", "3", "16299", "x"]), max_size=6),
    ),
    max_size=6,
)


@settings(max_examples=200, deadline=None)
@given(DECORATIONS, st.sampled_from(["6.1.7601", "10.0.10240", "10.0.26100"]))
def test_choice_is_one_that_applies(decorations: list[str], windows: str) -> None:
    """Whatever is chosen was offered, applies, and no offered one that applies is higher."""
    windows_target = target(windows)
    chosen = choose_models(decorations, windows_target)
    fitting = [
        item
        for text in decorations
        if (item := Decoration.parse(text)) and item.applies(windows_target)
    ]
    if chosen is None:
        assert fitting == []
        return
    assert chosen in [item.text for item in fitting]
    best = Decoration.parse(chosen)
    assert best is not None
    assert all(item.rank <= best.rank for item in fitting)
