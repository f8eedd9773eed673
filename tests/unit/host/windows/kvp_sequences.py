"""What Hyper-V shows of guests that do what the stand-in guest does, look by look.

The reports are those of ``fixtures/guest/init.sh``; how they come and go is that of
``Report.ps1`` and of the data exchange service: values stay through a restart, are not shown
while Windows starts, come in no order, and are taken away before the power-off, verdicts last.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, repeat
from typing import Any

from tests.unit.host.windows.recorder import kvp_item
from winimagetools.guest.reports import PREFIX

Look = Mapping[str, Any]
OFF: Look = {"state": "Off", "uptime": 0, "items": None}
OWN = (
    '<INSTANCE CLASSNAME="Msvm_KvpExchangeDataItem"><PROPERTY NAME="Data" TYPE="string">'
    '<VALUE>Windows</VALUE></PROPERTY><PROPERTY NAME="Name" TYPE="string">'
    "<VALUE>OSName</VALUE></PROPERTY></INSTANCE>"
)
"""What the service says by itself."""
BEGUN = {"StatusInitial": "Linux 6.1 plays Windows (UEFI)."}
HOOK = "CustomScripts(RunBeforeSysprep.ps1)"
RUNS = {**BEGUN, HOOK: "Running."}
NO_MSI = "The installer of Cloudbase-Init failed with exit code 1603."
FULL = "There is not enough space on the disk."
STOPPED = {"StatusStopped": "RunBeforeSysprep.ps1 asked to power off."}
DONE = {"StatusFinal": "The image is ready."}


def starting(uptime: float = 5) -> Look:
    """On, and its Windows does not exchange anything yet."""
    return {"state": "Running", "uptime": uptime, "items": None}


def shows(reports: Mapping[str, str], uptime: float = 60) -> Look:
    """On, with these reports, the last one first."""
    items = [kvp_item(PREFIX + stage, text) for stage, text in reports.items()]
    return {"state": "Running", "uptime": uptime, "items": [OWN, *reversed(items)]}


def ends(reports: Mapping[str, str], verdict: Mapping[str, str]) -> list[Look]:
    """A run that says how it ends, takes its reports away and powers off."""
    looks = [starting(), shows(BEGUN), shows(reports), shows({**reports, **verdict})]
    return [*looks, shows(verdict), shows({}), OFF]


def hook_fails(text: str) -> list[Look]:
    """A run that a hook ends."""
    return ends(RUNS, {"ERROR": text})


def stays(*looks: Look) -> chain[Look]:
    """A run that never gets any further."""
    return chain(looks, repeat(looks[-1]))


def restarts(reports: Mapping[str, str]) -> list[Look]:
    """A run that starts twenty times and says the same each time; or nothing, without reports."""
    start = [starting(3), shows(reports, 30) if reports else starting(30)]
    return start * 20
