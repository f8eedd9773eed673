"""The stage in a QEMU machine: what this host lacks for it, and running it."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from winimagetools import log
from winimagetools.errors import BuildError, HostError, Problem
from winimagetools.formats.images.probe import trusted_container
from winimagetools.guest.reports import check_failure
from winimagetools.host.linux.computer import as_problem
from winimagetools.host.linux.qemu import accelerator, machine, screen, tpm
from winimagetools.host.linux.qemu.firmware import Firmware, choose_firmware, read_firmware, trusts
from winimagetools.host.linux.qemu.follow import Connection, Follower
from winimagetools.host.linux.qemu.machine import Machine
from winimagetools.host.linux.qemu.proof import PATIENCE, StartProof
from winimagetools.host.linux.qemu.screen import screen_for
from winimagetools.host.linux.qemu.sockets import is_too_long, socket_problem
from winimagetools.model import MIB, DiskFormat
from winimagetools.plan import VmRequest
from winimagetools.run import Program, Tail, show, spawn

if TYPE_CHECKING:
    from winimagetools.host.linux.qemu.monitor import Monitor

_START_TIME = 60.0
_GLANCE = 0.05
_END_TIME = 120.0
"""Seconds QEMU has for its end: a disk on NFS is written out when it is closed."""
_SPARE_MEMORY = 256 * MIB
_BRIDGES = Path("/sys/class/net")


class Ending(Protocol):
    """A program that is to end."""

    def wait(self, timeout: float | None = None) -> int: ...


class LinuxVm:
    """Implements :class:`winimagetools.contract.Vm`."""

    def check(self, request: VmRequest | None, force: bool) -> Sequence[Problem]:
        """Programs, firmware, KVM, network, processors, memory and the socket of the screen."""
        if request is None:
            return []
        problems = [*_lacking(_looks(request)), *_size_problems(request)]
        screen = socket_problem(Path(request.vnc)) if request.vnc else None
        return [*problems, *filter(None, (switch_problem(request.switch), screen))]

    def check_tpm(self) -> Sequence[Problem]:
        """Whether there is a TPM for Windows that wants one."""
        return _lacking([tpm.SWTPM.find])

    def check_trust(self, certificate: str) -> Sequence[Problem]:
        """Whether some firmware with Secure Boot has the certificate in its keys."""
        if any(item.enrolled and trusts(item, certificate) for item in read_firmware()):
            return []
        return [
            Problem(
                f"The boot manager is signed under {certificate}, which no firmware for virtual "
                "machines with Secure Boot on this host knows: it would not start.",
                "Use a newer ovmf, start the virtual machine with disable_secure_boot = True, or "
                "choose another boot_authority.",
                section="vm",
                key="boot_authority",
            )
        ]

    def describe(self, request: VmRequest) -> Sequence[str]:
        """The command line, with names in place of the folders of a run."""
        accel = "tcg" if request.accel == "tcg" else "kvm"
        planned = _machine(request, accel, choose_firmware_for(request), Path("RUN"))
        planned = replace(planned, heard=not request.throw_away)
        return [show([machine.QEMU.name, *machine.arguments(planned)])]

    def start(self, request: VmRequest) -> None:
        """Start a machine for people to look at, and wait until it is off.

        Raises:
            BuildError: QEMU cannot start it.
            HostError: this machine cannot run it.
        """
        with _prepared(request) as planned:
            _show(replace(planned, heard=False))

    def prove_start(self, request: VmRequest) -> str:
        """Start a machine until its disk has shown that it starts; what was seen, a sentence.

        Raises:
            BuildError: it does not start, or its boot manager does not go on.
            HostError: this machine cannot run it.
        """
        with _prepared(request) as planned:
            return _prove(planned)

    def run_sysprep(self, request: VmRequest) -> dict[str, str]:
        """Run the machine until it powers off; what its guest reported.

        Raises:
            BuildError: the guest reported a failure, did not start or takes too long.
            HostError: this machine cannot run it.
        """
        with _prepared(request) as planned:
            reports = _run(planned)
        check_failure(reports)
        return reports


@contextmanager
def _prepared(request: VmRequest) -> Iterator[Machine]:
    """A machine with all it needs besides QEMU; one that is thrown away leaves no logs."""
    with ExitStack() as running:
        runtime = running.enter_context(_runtime())
        accel = accelerator.choose_accelerator(request.accel)
        if accel == "tcg":
            log.warning("Without KVM the guest takes ten to twenty times as long (accel = tcg).")
        firmware = choose_firmware_for(request)
        if firmware is not None:
            shutil.copyfile(firmware.variables, runtime / machine.VARIABLES)
        if request.tpm:
            running.enter_context(tpm.emulated_tpm(runtime))
        planned = _machine(request, accel, firmware, runtime)
        if request.throw_away:
            planned = replace(
                planned,
                request=replace(request, logs=runtime),
                scratch=running.enter_context(_scratch()),
            )
        yield planned


def _machine(request: VmRequest, accel: str, firmware: Firmware | None, runtime: Path) -> Machine:
    return Machine(
        request,
        trusted_container(request.disk).qemu_name if request.throw_away else _format(request.disk),
        accel,
        firmware,
        runtime,
        bridge_of(request),
        screen_for(request.screen),
    )


def _prove(planned: Machine) -> str:
    """Watch QEMU until its disk has started, and end it."""
    logs = planned.request.logs
    with _start(planned) as program:
        said, _ = Tail(program.error), Tail(program.output)
        with _open_monitor(logs / "qmp.log") as monitor:
            try:
                _connect(monitor, planned.runtime / machine.QMP_SOCKET, program)
                patience = PATIENCE[planned.accel]
                return StartProof(logs, program, monitor, patience).watch()
            except BuildError as error:
                if program.running() or program.wait() == 0:
                    raise
                raise HostError(f"QEMU cannot start it: {said.text().strip()}") from error


def _show(planned: Machine) -> None:
    """Run QEMU until its machine is off or somebody closes its window."""
    with _start(planned) as program:
        said, _ = Tail(program.error), Tail(program.output)
        with _open_monitor(planned.runtime / "qmp.log") as monitor:
            with suppress(BuildError):  # what QEMU said tells more
                _connect(monitor, planned.runtime / machine.QMP_SOCKET, program)
                _say_where(planned, monitor)
            while program.running():
                time.sleep(_GLANCE)
        code = program.wait()
        if code and screen.NO_PORT in said.text():
            raise HostError(
                "No port is left for VNC: all of 5900 to 5999 are in use on this machine.",
                "End what listens there, or use --screen window.",
            )
        if code:
            raise BuildError(
                f"The virtual machine ended: QEMU returned {code} and said: {said.text().strip()}"
            )


def _say_where(planned: Machine, monitor: Monitor) -> None:
    where = "in a window of its own"
    if planned.display.startswith(screen.VNC):
        answer = monitor.execute("query-vnc")
        where = f"at {answer['host']}:{answer['service']} for a VNC viewer"
    log.info(f"{planned.request.disk.name} runs; its screen is {where}. Ctrl-C ends it.")


def _run(planned: Machine) -> dict[str, str]:
    """Start QEMU, follow it, and end it."""
    request = planned.request
    command = show([machine.QEMU.name, *machine.arguments(planned)])
    (request.logs / "qemu-command.txt").write_text(f"{command}\n", encoding="utf-8")
    with _start(planned) as program:
        said, _ = Tail(program.error), Tail(program.output)
        with _open_monitor(request.logs / "qmp.log") as monitor:
            try:
                _connect(monitor, planned.runtime / machine.QMP_SOCKET, program)
                log.info(f"Waiting for {request.name} to finish and power off")
                reports = Follower(request, program, monitor).follow()
                _quit(monitor, program)
            except BuildError as error:
                if program.running():
                    raise
                code = program.wait()
                raise BuildError(
                    f"{error.message} QEMU returned {code} and said: {said.text().strip()}"
                ) from error
    return reports


def _start(planned: Machine) -> AbstractContextManager[Program]:
    """Start QEMU, which ends together with this process."""
    scratch = {"TMPDIR": str(planned.scratch)} if planned.scratch else {}
    return spawn(machine.QEMU, machine.arguments(planned), tied="KILL", env=scratch)


def _open_monitor(log_file: Path) -> AbstractContextManager[Monitor]:
    # Its event loop takes long to import, and most builds start no machine.
    from winimagetools.host.linux.qemu.monitor import open_monitor

    return open_monitor(log_file)


def _connect(monitor: Monitor, socket: Path, program: Program) -> None:
    give_up = time.monotonic() + _START_TIME
    while not monitor.connect(socket):
        if not program.running():
            raise BuildError("The virtual machine could not be started.")
        if time.monotonic() > give_up:
            raise BuildError("QEMU was started and does not answer.")
        time.sleep(_GLANCE)


def _quit(monitor: Connection, program: Ending) -> None:
    """Let QEMU write out what it has and end. Raises BuildError when it does not."""
    with suppress(OSError):  # it is gone, or answers no more, and ends all the same
        monitor.execute("quit")
    try:
        program.wait(_END_TIME)
    except TimeoutError as error:
        raise BuildError(
            f"QEMU does not end, {_END_TIME:.0f} seconds after its guest powered off.",
            "Look at the disk the image is made on (dmesg names faults).",
        ) from error


@contextmanager
def _runtime() -> Iterator[Path]:
    """A private folder with a short path, for the sockets of one machine.

    Raises:
        HostError: the folder for temporary files has a path that is too long.
    """
    with tempfile.TemporaryDirectory(prefix="winimagetools-") as name:
        runtime = Path(name)
        if is_too_long(runtime / machine.TPM_SOCKET):
            raise HostError(
                f"{runtime} is too long a path for a socket.",
                "Let TMPDIR name a folder with a shorter path.",
            )
        yield runtime


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for what is thrown away.

    QEMU takes the name of its file away as soon as it has one open. One that is killed in between
    leaves it.
    """
    folder = os.environ.get("TMPDIR") or "/var/tmp"  # noqa: S108 (QEMU's own choice)
    with tempfile.TemporaryDirectory(prefix="winimagetools-", dir=folder) as name:
        yield Path(name)


def choose_firmware_for(request: VmRequest) -> Firmware | None:
    """The firmware a machine starts with; None for BIOS. Raises ToolMissingError."""
    if request.generation == 1:
        return None
    return choose_firmware(
        read_firmware(),
        secure_boot=not request.disable_secure_boot,
        certificate=request.certificate,
    )


def bridge_of(request: VmRequest) -> str:
    """The bridge a machine is attached to; empty for the network that QEMU plays itself.

    The default name means a switch of Hyper-V, which this host knows only by accident.
    """
    if request.switch in ("", machine.NO_NETWORK):
        return ""
    if request.switch == machine.USUAL_SWITCH and not is_bridge(request.switch):
        return ""
    return request.switch


def is_bridge(name: str) -> bool:
    """Whether this host has a bridge of that name."""
    return "/" not in name and (_BRIDGES / name / "bridge").is_dir()


def switch_problem(name: str) -> Problem | None:
    """What is wrong with ``external_switch`` on a Linux host."""
    if name in ("", machine.NO_NETWORK, machine.USUAL_SWITCH) or is_bridge(name):
        return None
    return Problem(
        f"This host has no network bridge {name!r}.",
        "Name one that 'ip link show type bridge' lists, leave it empty for QEMU's own network, "
        "or write none for no network.",
        section="vm",
        key="external_switch",
    )


def _looks(request: VmRequest) -> list[Callable[[], object]]:
    looks: list[Callable[[], object]] = [machine.QEMU.find]
    if request.generation == 2:
        looks.append(lambda: choose_firmware_for(request))
    return [*looks, lambda: accelerator.choose_accelerator(request.accel)]


def _lacking(looks: Sequence[Callable[[], object]]) -> list[Problem]:
    problems = []
    for look in looks:
        try:
            look()
        except HostError as error:
            problems.append(as_problem(error))
    return problems


def _size_problems(request: VmRequest) -> list[Problem]:
    problems = []
    processors = len(os.sched_getaffinity(0))
    if request.cpu_count > processors:
        problems.append(
            Problem(
                f"{request.cpu_count} processors are more than the {processors} of this machine.",
                f"Use at most {processors}.",
                section="vm",
                key="cpu_count",
            )
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if request.memory > memory - _SPARE_MEMORY:
        problems.append(
            Problem(
                f"{log.size(request.memory)} do not fit into the {log.size(memory)} of this "
                "machine.",
                "Give the virtual machine less.",
                section="vm",
                key="ram_size",
            )
        )
    return problems


def _format(disk: Path) -> str:
    """What QEMU calls the container of a disk, which its name tells here."""
    by_extension = {item.extension: item.qemu_name for item in DiskFormat}
    return by_extension.get(disk.suffix.lower().removeprefix("."), "raw")
