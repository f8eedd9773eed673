"""What an INF says of a driver."""

from __future__ import annotations

import datetime
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winimagetools.errors import MediaError
from winimagetools.formats.inf.driver import CopiedFile, DriverInf, Model, Service
from winimagetools.formats.inf.target import Target
from winimagetools.model import Architecture, WindowsVersion
from winimagetools.plan import RegistryValue

W7 = Target(Architecture.X86, WindowsVersion(6, 1, 7601))
W10 = Target(Architecture.AMD64, WindowsVersion(10, 0, 19045))
W11 = Target(Architecture.AMD64, WindowsVersion(10, 0, 26100))
ARM = Target(Architecture.ARM64, WindowsVersion(10, 0, 26100))

STORAGE = r"""
[Version]
Signature="$Windows NT$"
Class = SCSIAdapter
ClassGUID = {4D36E97B-E325-11CE-BFC1-08002BE10318}
Provider = %Maker%
DriverVer = 09/15/2025, 100.101.104.28500
CatalogFile = plain.cat
CatalogFile.NTamd64 = wide.cat

[SourceDisksNames]
1 = "Disk",,,
[SourceDisksNames.amd64]
1 = "Disk",,,\bin\x64
[SourceDisksFiles]
disk.sys = 1
tool.exe = 1,tools
[SourceDisksFiles.amd64]
disk.sys = 1

[DestinationDirs]
DefaultDestDir = 13
Tools = 16422, %Maker%

[Manufacturer]
%Maker% = Devices, NTx86.6.1, NTamd64.10.0, NTamd64.10.0...22000
[Devices.NTx86.6.1]
%Disk% = Seven, PCI\VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00, PCI\VEN_1AF4&DEV_1001
[Devices.NTamd64.10.0]
%Disk% = Ten, PCI\VEN_1AF4&DEV_1042
[Devices.NTamd64.10.0...22000]
%Disk% = Ten, PCI\VEN_1AF4&DEV_1042, , PCI\CC_0100
%Other% = Eleven, PCI\VEN_1AF4&DEV_1048

[Seven]
CopyFiles = Drivers
[Ten.NT]
CopyFiles = Drivers, @readme.txt
[Ten.NTamd64]
CopyFiles = Drivers, Tools
Include = machine.inf
Needs = PCI_DRV
[Eleven]
CopyFiles = Drivers

[Drivers]
disk.sys,,,2
[Tools]
renamed.exe, tool.exe

[Seven.Services]
AddService = disk, 2, Disk_Service
[Ten.NTamd64.Services]
AddService = disk, 0x00000002, Disk_Service, Disk_Log
AddService = , 2
[Eleven.Services]
AddService = DISK, 2, Disk_Service
AddService = Helper, 0, Helper_Service

[Disk_Service]
ServiceType = %KERNEL%
StartType = 0
ErrorControl = 3
ServiceBinary = %13%\disk.sys
LoadOrderGroup = SCSI miniport
AddReg = Disk_Reg, More_Reg
[Disk_Reg]
HKR, "Parameters\PnpInterface", "5", %DWORD%, 1
HKLM, "Software\Elsewhere", x, , y
[More_Reg]
HKR, "Parameters", "BusType", %DWORD%, 0x0A
[Helper_Service]
ServiceType = 0x10
StartType = 2
ServiceBinary = "%11%\helper.exe"

[Strings]
Maker = "Red Hat, Inc."
Disk = "A disk"
Other = "Another"
KERNEL = 1
DWORD = 0x00010001
"""


def read(text: str) -> DriverInf:
    """An INF from text."""
    return DriverInf.read(text.encode(), "test.inf")


@pytest.fixture(scope="module")
def storage() -> DriverInf:
    """An INF with everything this reader knows."""
    return read(STORAGE)


def test_identity(storage: DriverInf) -> None:
    """Class, provider, date and version are read."""
    assert storage.class_name == "SCSIAdapter"
    assert storage.class_guid == "{4D36E97B-E325-11CE-BFC1-08002BE10318}"
    assert storage.provider == "Red Hat, Inc."
    assert storage.version == "100.101.104.28500"
    assert storage.version_key == (100, 101, 104, 28500)
    assert storage.date == datetime.date(2025, 9, 15)


@pytest.mark.parametrize(
    ("text", "date", "key"),
    [
        ("7/4/2019,1.2", datetime.date(2019, 7, 4), (1, 2, 0, 0)),
        ("07-04-2019", datetime.date(2019, 7, 4), (0, 0, 0, 0)),
        ("13/45/2019,1.2.3.4", None, (1, 2, 3, 4)),
        ("soon, new", None, (0, 0, 0, 0)),
        ("01/01/2020,1.2.3.70000", datetime.date(2020, 1, 1), (1, 2, 3, 70000 - 65536)),
    ],
)
def test_driver_ver(text: str, date: datetime.date | None, key: tuple[int, ...]) -> None:
    """Dates and versions in other forms are read as far as they make sense."""
    inf = read(f"[Version]\nSignature=x\nDriverVer={text}\n")
    assert (inf.date, inf.version_key) == (date, key)


def test_no_driver_ver() -> None:
    """An INF without DriverVer has an empty version."""
    inf = read("[Version]\nSignature=x\n")
    assert (inf.version, inf.date, inf.version_key) == ("", None, (0, 0, 0, 0))


def test_models(storage: DriverInf) -> None:
    """Devices come from the section that Windows would pick for version and architecture."""
    seven = Model(
        "A disk",
        "Seven",
        r"PCI\VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00",
        (r"PCI\VEN_1AF4&DEV_1001",),
    )
    assert storage.models(W7) == (seven,)
    assert storage.models(W10) == (Model("A disk", "Ten", r"PCI\VEN_1AF4&DEV_1042", ()),)
    assert storage.models(W11) == (
        Model("A disk", "Ten", r"PCI\VEN_1AF4&DEV_1042", (r"PCI\CC_0100",)),
        Model("Another", "Eleven", r"PCI\VEN_1AF4&DEV_1048", ()),
    )
    assert storage.models(ARM) == ()
    assert [storage.supports(item) for item in (W7, W10, W11, ARM)] == [True, True, True, False]


def test_install_sections(storage: DriverInf) -> None:
    """The decorated install section hides the plain one."""
    assert storage.install_sections(W11) == ("ten.ntamd64", "eleven")


def test_services(storage: DriverInf) -> None:
    """Each service is read once with its parameters; a null service is none."""
    disk = Service(
        name="disk",
        service_type=1,
        start_type=0,
        error_control=3,
        binary=r"%13%\disk.sys",
        group="SCSI miniport",
        registry=(
            (r"Parameters\PnpInterface", RegistryValue("5", "REG_DWORD", 1)),
            ("Parameters", RegistryValue("BusType", "REG_DWORD", 10)),
        ),
    )
    helper = Service("Helper", 0x10, 2, 1, r"%11%\helper.exe", "")
    assert storage.services(W11) == (disk, helper)
    assert [item.file_name for item in storage.services(W11)] == ["disk.sys", "helper.exe"]
    assert storage.services(ARM) == ()


def test_copied_files(storage: DriverInf) -> None:
    """CopyFiles gives source names and the folder each section goes to."""
    assert storage.copied_files(W11) == (
        CopiedFile("disk.sys", 13, ""),
        CopiedFile("tool.exe", 16422, "Red Hat, Inc."),
    )
    plain = read(STORAGE.replace("[Ten.NTamd64]", "[Unused]").replace("DefaultDestDir = 13", ""))
    assert CopiedFile("readme.txt", 12, "") in plain.copied_files(W10)


def test_source_files(storage: DriverInf) -> None:
    """Files lie where SourceDisksNames of the architecture says; catalog and service count."""
    assert storage.catalogs(W11) == ("wide.cat",)
    assert storage.catalogs(W7) == ("plain.cat",)
    assert storage.source_files(W7) == ("disk.sys", "tools/tool.exe", "plain.cat")
    assert storage.source_files(W11) == (
        "bin/x64/disk.sys",
        "bin/x64/tools/tool.exe",
        "helper.exe",
        "wide.cat",
    )


def test_bad_number_names_the_section(storage: DriverInf) -> None:
    """A start type that is no number is reported, for the Windows it is read for."""
    inf = read(STORAGE.replace("StartType = 2", "StartType = auto"))
    with pytest.raises(MediaError, match=r"StartType of \[Helper_Service\] is wrong: 'auto'"):
        inf.services(W11)
    assert inf.services(W10) == storage.services(W10)


def test_empty_models_section_excludes() -> None:
    """An empty section for a version keeps Windows from falling back to a lower one."""
    inf = read(
        "[Version]\nSignature=x\n[Manufacturer]\nm=M,NTamd64.6.1,NTamd64.10.0\n"
        "[M.NTamd64.6.1]\nd=I,ID\n[M.NTamd64.10.0]\n[I]\n"
    )
    assert not inf.supports(W10)
    assert inf.supports(Target(Architecture.AMD64, WindowsVersion(6, 1, 7601)))


def test_default_install() -> None:
    """A driver without devices is for the architectures its DefaultInstall names."""
    inf = read("[Version]\nSignature=x\n[DefaultInstall.NTamd64]\nCopyFiles=@a.sys\n")
    assert inf.supports(W10)
    assert not inf.supports(ARM)
    assert inf.source_files(W10) == ("a.sys",)


def test_manufacturer_without_key() -> None:
    """A manufacturer named without ``=`` is its own models section."""
    inf = read("[Version]\nSignature=x\n[Manufacturer]\nMaker\n[Maker]\nd=I,ID\n[I]\n")
    assert [item.hardware_id for item in inf.models(W7)] == ["ID"]
    assert inf.models(W10) == ()


def test_models_of_a_service() -> None:
    """A service drives the devices whose install section adds it as function driver."""
    inf = read(
        "[Version]\nSignature=x\n[Manufacturer]\nm=M,NTamd64\n[M.NTamd64]\nd=D,ID1\nn=N,ID2\n"
        "e=,ID3\ns=S,ID4\n[D]\n[D.Services]\nAddService=port,0x00000002,P\n"
        "AddService=filt,0x0,F\n[N]\n[N.Services]\nAddService=,2\n[S]\n[S.Services]\n"
        "Needs=D.Services\n[P]\n[F]\n"
    )
    assert [item.hardware_id for item in inf.models_of("PORT", W10)] == ["ID1", "ID4"]
    assert inf.models_of("filt", W10) == ()
    assert [item.name for item in inf.services(W10)] == ["port", "filt"]


def test_needs_in_a_circle() -> None:
    """Sections that need each other are read once each."""
    inf = read(
        "[Version]\nSignature=x\n[Manufacturer]\nm=M\n[M]\nd=I,ID\n[I]\nNeeds=J\n"
        "[J]\nNeeds=I, J\nCopyFiles=@a.sys\n[I.Services]\nAddService=a,two,A\n[A]\n"
    )
    assert inf.source_files(W7) == ("a.sys",)
    with pytest.raises(MediaError, match=r"AddService of \[i\] is wrong: 'two'"):
        inf.models_of("a", W7)


@pytest.mark.parametrize(
    ("head", "required"),
    [
        ("", ("here.sys", "inbox.dll", "x.cat")),
        ("LayoutFile=layout.inf\n", ("here.sys", "x.cat")),
    ],
)
def test_required_files(head: str, required: tuple[str, ...]) -> None:
    """What is copied and the catalog have to be there; what Windows has itself has not."""
    inf = read(
        f"[Version]\nSignature=x\nCatalogFile=x.cat\n{head}[SourceDisksFiles]\nhere.sys=1\n"
        "unused.txt=1\n[Manufacturer]\nm=M\n[M]\nd=I,ID\n[I]\nInclude=mdmcpq.inf\n"
        "CopyFiles=Files,NotInThisInf\n[Files]\nhere.sys\ninbox.dll\n[I.Services]\n"
        "AddService=usbser,2,S\n[S]\nStartType=odd\nServiceBinary=%12%\\usbser.sys\n"
    )
    assert inf.required_files(W7) == required
    assert set(required) < set(inf.source_files(W7))


LINES = STORAGE.splitlines()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(LINES) - 1), st.integers(0, 30)), max_size=8),
    st.text(st.sampled_from('ab,=;"%\\[]0x%NT.\n'), max_size=8),
    st.sampled_from([W7, W10, W11, ARM]),
)
def test_damage(cuts: list[tuple[int, int]], junk: str, target: Target) -> None:
    """A damaged INF is read, or refused with a MediaError; nothing else happens."""
    lines = list(LINES)
    for number, column in cuts:
        lines[number] = lines[number][:column] + junk
    try:
        inf = read("\n".join(lines))
        inf.supports(target)
        inf.source_files(target)
        assert len(inf.version_key) == 4
    except MediaError as error:
        assert error.message.startswith("test.inf")


def test_sections_that_are_named_again_and_again() -> None:
    """A section counts once, however often an INF names it: the work stays that of the file."""
    many = 3000
    inf = read(
        "[Version]\nSignature=x\n[Manufacturer]\n"
        + "x = Models, NTamd64\ny = MODELS, ntAMD64\n" * many
        + "[Models.NTamd64]\n"
        + "".join(f"d{n} = Install, id{n}\n" for n in range(many))
        + "[Install]\nNeeds = "
        + "More, MORE," * many
        + "\nCopyFiles = "
        + "Files," * many
        + "\n[More]\nNeeds = Install\nCopyFiles = "
        + "Files," * many
        + "\n[Files]\n"
        + "".join(f"f{n}.sys\n" for n in range(many))
        + "[Install.Services]\nAddService = s, 2, Service\n"
        + "[Service]\nServiceType = 1\nServiceBinary = %12%\\s.sys\n"
        + "AddReg = Values,"
        + "VALUES," * many
        + "\n[Values]\n"
        + "".join(f"HKR,,v{n},,1\n" for n in range(many))
    )
    assert len(inf.models(W10)) == many
    assert len(inf.copied_files(W10)) == many
    (service,) = inf.services(W10)
    assert len(service.registry) == many


def test_thousands_of_devices() -> None:
    """The time for an INF grows with its length, not with the square of it."""
    lines = ["[Version]", "Signature=x", "[Manufacturer]", "m=M,NTamd64", "[M.NTamd64]"]
    lines += [f"d=I{number},ID{number}" for number in range(4000)]
    for number in range(4000):
        lines += [f"[I{number}.NT]", f"[I{number}.NT.Services]", "AddService=p,2,P"]
    inf = read("\n".join([*lines, "[P]"]))
    began = time.process_time()
    assert len(inf.install_sections(W10)) == len(inf.models_of("p", W10)) == 4000
    assert time.process_time() - began < 3
