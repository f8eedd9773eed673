"""The stage in a Hyper-V machine: prerequisites, the machine, and what it reports."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from defusedxml import ElementTree

from winimagetools import log
from winimagetools.errors import BuildError, HostError, Problem
from winimagetools.formats.png import png_of_rgb565
from winimagetools.guest.reports import (
    PREFIX,
    check_failure,
    exchanged_report,
    merge_reports,
    show,
)
from winimagetools.guest.watch import MOST_PICTURES, Watch, picture_name
from winimagetools.host.windows import scripts
from winimagetools.host.windows.powershell import PowerShell, as_list
from winimagetools.plan import VmRequest
from winimagetools.retry import execute_retry

START_DELAY = 5.0
POLL_INTERVAL = 1.0
"""Seconds, as in the PowerShell tools."""
SCREEN = (800, 600)
"""Width and height that pictures of the screen are scaled to."""
STATUS_ATTEMPTS = 6
"""How often Hyper-V is asked about a machine before it is given up: for half a minute."""

_NEVER_HEARD = (
    "Nothing was ever heard of its Windows: the firmware found nothing to start on the disk, or "
    "Windows stopped before its data exchange service ran."
)
_NO_HYPERV = "Hyper-V is not turned on, and the stage in a virtual machine needs it."
_NO_HYPERV_ADVICE = (
    "Turn it on in an elevated PowerShell and restart: Enable-WindowsOptionalFeature -Online "
    "-FeatureName Microsoft-Hyper-V -All"
)


def switch_problems(switch: str, switch_type: str, force: bool) -> list[Problem]:
    """What is wrong with a virtual switch.

    Args:
        switch: ``external_switch``; nothing is wrong with none at all.
        switch_type: what Hyper-V calls it, empty when it does not exist.
        force: accept one that is not external.
    """
    if not switch:
        return []
    if not switch_type:
        message = f"There is no virtual switch {switch!r}."
        hint = "Make one, or name one that Get-VMSwitch lists."
    elif switch_type.casefold() != "external" and not force:
        message = (
            f"The virtual switch {switch!r} is {switch_type}, not External: the machine could "
            "not reach the network."
        )
        hint = "Name an external switch, or set force = True if you want it all the same."
    else:
        return []
    return [Problem(message, hint, section="vm", key="external_switch")]


def processor_problems(wanted: int, available: int) -> list[Problem]:
    """What is wrong with a number of processors."""
    if wanted <= available:
        return []
    return [
        Problem(
            f"{wanted} processors are more than the {available} of this machine.",
            f"Use at most {available}.",
            section="vm",
            key="cpu_count",
        )
    ]


def convert_kvp_data(items: Iterable[str]) -> dict[str, str]:
    """Reports of the guest by stage, from the XML of the key-value exchange.

    Port of ``Convert-KvpData``. Items that are not readable XML are passed over.
    """
    reports = {}
    for item in items:
        try:
            instance = ElementTree.fromstring(item)
        except (ElementTree.ParseError, ValueError):  # also a definition, which is not read
            continue
        values = {
            element.get("NAME", ""): element.findtext("VALUE", "")
            for element in instance.iter("PROPERTY")
        }
        name = values.get("Name", "")
        if name.startswith(PREFIX):
            reports[name.removeprefix(PREFIX)] = values.get("Data", "")
    return reports


def _keep(request: VmRequest, reports: dict[str, str]) -> None:
    """Write down what was reported, as the second serial port has it elsewhere."""
    lines = [json.dumps(asdict(exchanged_report(stage, text))) for stage, text in reports.items()]
    text = "".join(f"{line}\n" for line in lines)
    (request.logs / "reports.jsonl").write_text(text, encoding="utf-8")


class Screen:
    """Takes pictures of the screen of a machine; one that cannot be had is no failure.

    Args:
        shell: runs PowerShell.
        request: the machine, and the folder for pictures.
    """

    def __init__(self, shell: PowerShell, request: VmRequest) -> None:
        self._shell, self._request = shell, request
        self._taken = 0

    def picture(self, stage: str) -> None:
        """Save what the screen shows, as PNG."""
        if self._taken >= MOST_PICTURES and stage != "end":
            return
        width, height = SCREEN
        with suppress(BuildError, ValueError, OSError):
            answer = self._shell.invoke(
                scripts.VM_SCREEN, name=self._request.name, width=width, height=height
            )
            picture = png_of_rgb565(base64.b64decode(str(answer)), width, height)
            self._taken += 1
            name = f"{picture_name(self._taken, stage)}.png"
            (self._request.logs / name).write_bytes(picture)


@dataclass(frozen=True)
class Status:
    """What Hyper-V says of a machine.

    Args:
        state: ``Running``, ``Off`` and others.
        uptime: seconds since it was turned on or reset (``OnTimeInMilliseconds`` of
            ``Msvm_ComputerSystem``, Microsoft).
        known: the data exchange service of its Windows has said something, if only its version.
        reports: of its guest, by stage.
    """

    state: str
    uptime: float
    known: bool
    reports: dict[str, str]


class Follower:
    """One run of a machine.

    Args:
        request: what runs.
        screen: takes pictures.
        clock: seconds.
    """

    def __init__(self, request: VmRequest, screen: Screen, clock: Callable[[], float]) -> None:
        self._request, self._screen, self._clock = request, screen, clock
        self._watch = Watch(request.silence, request.time_limit, clock())
        self._uptime = 0.0
        self._known = False
        self.reports: dict[str, str] = {}

    def take_in(self, status: Status) -> bool:
        """Take in how it is; whether it is off.

        Raises:
            BuildError: it takes too long, or restarts for ever.
        """
        off = status.state == "Off"
        try:
            if not off:
                self._count_restart(status.uptime)
            self._hear(status, off)
            if not off:
                self._check()
        except BuildError:
            self._screen.picture("end")
            raise
        return off

    def _count_restart(self, uptime: float) -> None:
        before, self._uptime = self._uptime, uptime
        if uptime < before and self._watch.restarted(self._clock()):
            log.info("The virtual machine restarts")

    def _hear(self, status: Status, off: bool) -> None:
        self._known = self._known or status.known
        for stage, text in status.reports.items():
            if self._watch.hear(exchanged_report(stage, text), self._clock()):
                show(stage, text)
                if not off:
                    self._screen.picture(stage)
        self.reports = merge_reports(self.reports, status.reports)
        _keep(self._request, self.reports)

    def _check(self) -> None:
        try:
            self._watch.check(self._clock())
        except BuildError as error:
            if self._known:
                raise
            raise BuildError(f"{error.message} {_NEVER_HEARD}", error.hint) from None


class HyperV:
    """Implements :class:`winimagetools.contract.Vm`.

    Args:
        shell: runs PowerShell.
        sleep: waits a number of seconds.
        clock: seconds.
    """

    def __init__(
        self,
        shell: PowerShell,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shell = shell
        self._sleep = sleep
        self._clock = clock

    def check(self, request: VmRequest | None, force: bool) -> Sequence[Problem]:
        """Hyper-V, switch and processors. Port of ``Check-Prerequisites``."""
        if self._shell.invoke(scripts.HYPERV_STATE) != "Enabled":
            return [Problem(_NO_HYPERV, _NO_HYPERV_ADVICE, host=True)]
        if request is None:
            return []
        problems = processor_problems(request.cpu_count, self.total_logical_processors())
        if request.switch:
            kind = self._shell.invoke(scripts.SWITCH_TYPE, name=request.switch)
            problems += switch_problems(request.switch, kind, force)
        return problems

    def total_logical_processors(self) -> int:
        """Processors of this machine. Port of ``Get-TotalLogicalProcessors``."""
        return int(self._shell.invoke(scripts.PROCESSOR_COUNT))

    def check_tpm(self) -> Sequence[Problem]:
        """Nothing: Hyper-V has one of its own, and Windows installs from a disk without."""
        return []

    def check_trust(self, certificate: str) -> Sequence[Problem]:
        """Nothing: which keys Hyper-V gives its machines only Windows knows."""
        return []

    def describe(self, request: VmRequest) -> Sequence[str]:
        """Nothing beyond what the plan says."""
        return []

    def start(self, request: VmRequest) -> None:
        """Not here: Hyper-V has no disk that forgets.

        Raises:
            HostError: always.
        """
        raise _no_such_disk()

    def prove_start(self, request: VmRequest) -> str:
        """Not here either, for the same reason.

        Raises:
            HostError: always.
        """
        raise _no_such_disk()

    def run_sysprep(self, request: VmRequest) -> dict[str, str]:
        """Run the machine until it powers off, and take it away. Port of ``Run-Sysprep``.

        Raises:
            BuildError: the guest reported a failure, or takes too long.
        """
        try:
            self._shell.invoke(
                scripts.CREATE_VM,
                name=request.name,
                disk=request.disk,
                memory=request.memory,
                cpu_count=request.cpu_count,
                switch=request.switch,
                generation=request.generation,
                disable_secure_boot=request.disable_secure_boot,
            )
            self._sleep(START_DELAY)
            reports = self._wait_for_shutdown(request)
        finally:
            self._shell.attempt(scripts.REMOVE_VM, name=request.name)
        check_failure(reports)
        return reports

    def _wait_for_shutdown(self, request: VmRequest) -> dict[str, str]:
        """Follow a machine until it is off. Port of ``Wait-ForVMShutdown``."""
        log.info(f"Waiting for {request.name} to finish and power off")
        follower = Follower(request, Screen(self._shell, request), self._clock)
        while not follower.take_in(self._status(request.name)):
            self._sleep(POLL_INTERVAL)
        return follower.reports

    def _status(self, name: str) -> Status:
        """What Hyper-V says of a machine. Port of ``Get-KVPData``.

        Hyper-V may not answer while a machine restarts, and hours of work hang on one answer.
        """
        status = execute_retry(
            lambda: self._shell.invoke(scripts.VM_STATUS, name=name),
            retry_on=BuildError,
            attempts=STATUS_ATTEMPTS,
            interval=POLL_INTERVAL,
            sleep=self._sleep,
        )
        items = as_list(status["items"])
        return Status(status["state"], status["uptime"], bool(items), convert_kvp_data(items))


def _no_such_disk() -> HostError:
    return HostError(
        "Starting an image on a disk that forgets what is written needs a Linux host.",
        "winimagetools publish IMAGE hyperv prints the commands for a machine of Hyper-V.",
    )
