from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from winimagetools.errors import RequestError
from winimagetools.image import delivery
from winimagetools.model import ApplyEngine, DiskFormat, ImageType
from winimagetools.plan import Delivery


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HYPER-V", ImageType.HYPER_V),
        ("hyper-v", ImageType.HYPER_V),
        ("VMware", ImageType.VMWARE),
        ("VMWARE", ImageType.VMWARE),
        (" kvm ", ImageType.KVM),
        ("maas", ImageType.MAAS),
    ],
)
def test_image_type_in_any_case(text: str, expected: ImageType) -> None:
    """The PowerShell tools compared VMware by case in one workflow; here no type is."""
    assert delivery.parse_image_type(text) is expected


@pytest.mark.parametrize("text", ["", "cloud", "hyper", "KVM2"])
def test_unknown_image_type(text: str) -> None:
    """Types that do not exist are refused with the list of those that do."""
    with pytest.raises(RequestError, match="Choose one of MAAS, KVM, VMware, HYPER-V") as caught:
        delivery.parse_image_type(text)
    assert caught.value.option == "image_type"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("HYPERV", ImageType.HYPER_V),
        ("Hyper_V", ImageType.HYPER_V),
        ("hyper v", ImageType.HYPER_V),
        ("VM-ware", ImageType.VMWARE),
    ],
)
def test_other_spellings_of_an_image_type(text: str, meant: ImageType) -> None:
    """What the PowerShell tools built with is built with a warning that names the type."""
    assert delivery.parse_image_type(text) is meant
    warning = delivery.image_type_warning(text)
    assert warning is not None
    assert (warning.section, warning.key) == ("DEFAULT", "image_type")
    assert warning.message == f"{text!r} is taken for {meant.value}."


@pytest.mark.parametrize("text", ["HYPER-V", "hyper-v", " kvm ", "VMWARE", "nothing"])
def test_no_warning_about_the_right_word(text: str) -> None:
    """Letter case and blanks are of no concern, and what is no type at all is refused elsewhere."""
    assert delivery.image_type_warning(text) is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("OpenStack", "Write image_type = KVM, or HYPER-V or VMware"),
        ("KubeVirt", "Write image_type = KVM: that is what KubeVirt runs."),
        ("Proxmox", "Write image_type = KVM: that is what Proxmox VE runs."),
        ("proxmox-ve", "Write image_type = KVM: that is what Proxmox VE runs."),
        ("qcow2", "It is a disk format: write it as virtual_disk_format"),
        ("ESXi", "Write VMware."),
        ("Azure", "HYPER-V"),
    ],
)
def test_platforms_and_formats_are_answered_with_what_is_meant(text: str, meant: str) -> None:
    """They are refused: nobody can know whether the drivers of another type would do."""
    with pytest.raises(RequestError) as caught:
        delivery.parse_image_type(text)
    assert caught.value.hint.startswith(meant) or meant in caught.value.hint


@pytest.mark.parametrize("text", ["RAW", "raw", "Qcow2", "vhd", "VHDX", "vmdk"])
def test_disk_format_in_any_case(text: str) -> None:
    """Formats are read in any letter case."""
    assert delivery.parse_disk_format(text).value == text.upper()


def test_unknown_disk_format() -> None:
    """An unknown format is refused with the list."""
    with pytest.raises(RequestError, match=r"'vdi' is not a disk format.*RAW, QCOW2"):
        delivery.parse_disk_format("vdi")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("tar.gz", ("tar", "gz")),
        ("GZ", ("gz",)),
        ("zip", ("zip",)),
        ("tar.gz.zip", ("tar", "gz", "zip")),
        ("gz.tar", ("gz", "tar")),
    ],
)
def test_compression_layers(text: str, expected: tuple[str, ...]) -> None:
    """Layers come in the order they are written."""
    assert delivery.parse_compression(text) == expected


def test_unknown_compression() -> None:
    """An unknown layer is named."""
    with pytest.raises(RequestError, match="'xz' is not a compression format"):
        delivery.parse_compression("tar.xz")


def test_format_choice_is_exhaustive() -> None:
    """Asked for wins; otherwise the type decides; a VHDX default never beats the type."""
    by_hand = {
        ImageType.MAAS: DiskFormat.RAW,
        ImageType.KVM: DiskFormat.QCOW2,
        ImageType.VMWARE: DiskFormat.VMDK,
        ImageType.HYPER_V: DiskFormat.VHDX,
    }
    for image_type, wanted, by_type in product(ImageType, DiskFormat, (False, True)):
        chosen = delivery.choose_disk_format(image_type, wanted, False, by_type=by_type)
        assert chosen is by_hand[image_type]
        chosen = delivery.choose_disk_format(image_type, wanted, True, by_type=by_type)
        if by_type and wanted is DiskFormat.VHDX:
            assert chosen is by_hand[image_type]
        else:
            assert chosen is wanted


def test_plan_drops_what_does_not_apply() -> None:
    """A zip password without zip and QCOW2 compression of another container mean nothing."""
    plan = delivery.plan_delivery(
        Path("/i/win.raw.tgz"),
        DiskFormat.RAW,
        ("tar", "gz"),
        compress_qcow2=True,
        password="secret",
    )
    assert plan == Delivery(
        path=Path("/i/win.raw.tgz"),
        disk_format=DiskFormat.RAW,
        compression=("tar", "gz"),
        stem="win",
    )
    assert plan.describe() == "RAW, wrapped as tar.gz"


def test_plan_keeps_what_applies() -> None:
    """Password and QCOW2 compression are kept where they have a meaning."""
    plan = delivery.plan_delivery(
        Path("win.zip"), DiskFormat.QCOW2, ("zip",), compress_qcow2=True, password="secret"
    )
    assert (plan.password, plan.compress_qcow2) == ("secret", True)
    assert plan.disk_name(DiskFormat.QCOW2) == "win.qcow2"
    assert plan.describe() == "QCOW2 (compressed), wrapped as zip"


def test_a_plan_without_wishes() -> None:
    """Nothing is compressed or protected that nobody asked for."""
    plan = delivery.plan_delivery(Path("win.qcow2"), DiskFormat.QCOW2)
    assert plan == Delivery(Path("win.qcow2"), DiskFormat.QCOW2, (), "win")
    assert plan.describe() == "QCOW2"


def test_a_fixed_vhd() -> None:
    """Only a VHD can be fixed, and the description says so."""
    plan = delivery.plan_delivery(Path("win.vhd"), DiskFormat.VHD, fixed_vhd=True)
    assert plan.fixed_vhd is True
    assert plan.describe() == "VHD (fixed)"
    assert not delivery.plan_delivery(Path("win.vhdx"), DiskFormat.VHDX, fixed_vhd=True).fixed_vhd


@pytest.mark.parametrize(("text", "fixed"), [("dynamic", False), (" Fixed ", True)])
def test_the_kinds_of_vhd(text: str, fixed: bool) -> None:
    """In any letter case."""
    assert delivery.parse_vhd_subformat(text) is fixed


def test_an_unknown_kind_of_vhd() -> None:
    """The answer lists what there is."""
    with pytest.raises(
        RequestError, match=r"'thin' is not a kind of VHD\. Choose one of dynamic, f"
    ):
        delivery.parse_vhd_subformat("thin")


@pytest.mark.parametrize(
    ("disk_format", "compression", "usual"),
    [
        (DiskFormat.RAW, (), False),
        (DiskFormat.RAW, ("tar", "gz"), True),
        (DiskFormat.QCOW2, (), True),
        (DiskFormat.VHDX, (), True),
    ],
)
def test_the_usual_checksum(
    disk_format: DiskFormat, compression: tuple[str, ...], usual: bool
) -> None:
    """A raw image is mostly holes: its checksum has to be asked for; what is asked for counts."""
    plan = delivery.plan_delivery(Path("win"), disk_format, compression)
    assert delivery.with_checksum(plan, None).checksum is usual
    assert delivery.with_checksum(plan, True).checksum is True
    assert delivery.with_checksum(plan, False).checksum is False


def test_the_usual_checksum_of_a_fixed_vhd() -> None:
    """It is as large as its disk, and as empty; a dynamic one is not."""
    dynamic = delivery.plan_delivery(Path("win"), DiskFormat.VHD)
    fixed = delivery.plan_delivery(Path("win"), DiskFormat.VHD, fixed_vhd=True)
    assert delivery.with_checksum(dynamic, None).checksum is True
    assert delivery.with_checksum(fixed, None).checksum is False


@pytest.mark.parametrize(
    ("text", "engine"),
    [
        ("auto", ApplyEngine.AUTO),
        (" Parallel ", ApplyEngine.PARALLEL),
        ("LIBWIM", ApplyEngine.LIBWIM),
    ],
)
def test_the_engine_that_applies(text: str, engine: ApplyEngine) -> None:
    """Named in any letter case."""
    assert delivery.parse_apply_engine(text) is engine


def test_an_engine_there_is_not() -> None:
    """It is refused with what there is."""
    with pytest.raises(RequestError, match="'dism' is no engine") as caught:
        delivery.parse_apply_engine("dism")
    assert caught.value.hint == "Choose one of auto, parallel, libwim."
