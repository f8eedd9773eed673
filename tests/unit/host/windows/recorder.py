"""Doubles for what only Windows has: programs that answer from a list, and virtdisk.dll."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from winimagetools.errors import CommandError
from winimagetools.host.windows import scripts
from winimagetools.host.windows.powershell import MARK, VALUES, whole_script
from winimagetools.run import Tool

NAMES = {
    body: name for name, body in vars(scripts).items() if name.isupper() and isinstance(body, str)
}
Answer = object | Callable[[dict[str, Any]], object]


class Recorder:
    """Stands in for :func:`winimagetools.run.run`.

    ``calls`` holds command lines as lists and PowerShell scripts as (name, values).

    Args:
        answers: answer of each script by name; a function gets the values.
        fail: says of a command line whether it fails.
    """

    def __init__(
        self,
        answers: Mapping[str, Answer] | None = None,
        fail: Callable[[list[str]], bool] = lambda _: False,
        outputs: Mapping[str, str] | None = None,
    ) -> None:
        self.calls: list[Any] = []
        self._answers = dict(answers or {})
        self._fail = fail
        self._outputs = dict(outputs or {})

    def __call__(
        self,
        tool: Tool,
        arguments: Sequence[object],
        *,
        env: Mapping[str, str] | None = None,
        **_: object,
    ) -> str:
        """Record a call and answer it."""
        if tool.name == "powershell.exe":
            return self._script([str(item) for item in arguments], env or {})
        line = [tool.name, *(str(item) for item in arguments)]
        self.calls.append(line)
        if self._fail(line):
            raise CommandError(" ".join(line), 87, "it failed")
        return next((text for key, text in self._outputs.items() if key in line), "")

    def _script(self, arguments: list[str], env: Mapping[str, str]) -> str:
        encoded = arguments[arguments.index("-EncodedCommand") + 1]
        text = base64.b64decode(encoded).decode("utf-16-le")
        name = next(name for body, name in NAMES.items() if whole_script(body) == text)
        values = json.loads(env[VALUES])
        self.calls.append((name, values))
        answer = self._answers.get(name)
        if callable(answer):
            answer = answer(values)
        if isinstance(answer, Exception):
            raise answer
        return f"noise\n{MARK}{json.dumps(answer)}\n"

    @property
    def scripts(self) -> list[str]:
        """Names of the scripts that ran, in order."""
        return [call[0] for call in self.calls if isinstance(call, tuple)]


def kvp_item(name: str, data: str) -> str:
    """A report as Hyper-V hands it over."""
    return (
        '<INSTANCE CLASSNAME="Msvm_KvpExchangeDataItem">'
        f'<PROPERTY NAME="Data" TYPE="string"><VALUE>{data}</VALUE></PROPERTY>'
        f'<PROPERTY NAME="Name" TYPE="string"><VALUE>{name}</VALUE></PROPERTY>'
        '<PROPERTY NAME="Source" TYPE="uint16"><VALUE>1</VALUE></PROPERTY></INSTANCE>'
    )


class VirtDisk:
    """Stands in for ``virtdisk.dll``: records calls, answers with a device."""

    def __init__(self, device: str = r"\\.\PhysicalDrive7", codes: Mapping[str, int] | None = None):
        self.calls: list[tuple[Any, ...]] = []
        self._device = device
        self._codes = dict(codes or {})

    def CreateVirtualDisk(self, kind: Any, path: str, access: int, *rest: Any) -> int:  # noqa: N802
        """Record; make the file, as Windows would."""
        parameters = rest[3]._obj
        self.calls.append(("create", kind._obj.device, path, access, parameters.maximum_size))
        Path(path).write_bytes(b"vhdx")
        return self._codes.get("create", 0)

    def OpenVirtualDisk(  # noqa: N802
        self, kind: Any, path: str, access: int, flags: int, *_: Any
    ) -> int:
        """Record."""
        assert flags == 0  # OPEN_VIRTUAL_DISK_FLAG_NONE
        self.calls.append(("open", kind._obj.device, path, access))
        return self._codes.get("open", 0)

    def AttachVirtualDisk(  # noqa: N802
        self, handle: Any, descriptor: Any, flags: int, provider_flags: int, *_: Any
    ) -> int:
        """Record."""
        assert provider_flags == 0
        self.calls.append(("attach", flags))
        return self._codes.get("attach", 0)

    def DetachVirtualDisk(self, *_: Any) -> int:  # noqa: N802
        """Record."""
        self.calls.append(("detach",))
        return 0

    def GetVirtualDiskPhysicalPath(self, _: Any, size: Any, buffer: Any) -> int:  # noqa: N802
        """Write the device into the caller's buffer."""
        assert size._obj.value >= 2 * (len(self._device) + 1)  # bytes of UTF-16
        buffer.value = self._device
        return 0

    def CloseHandle(self, _: Any) -> int:  # noqa: N802
        """Record."""
        self.calls.append(("close",))
        return 1
