"""Keys of ours for Secure Boot: boot managers that they sign, firmware that knows them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from winimagetools.host.linux.qemu.firmware import Firmware

_OWNER = "4a8a8d7e-5d3c-4d5f-9f0b-1c7f6a3b2d10"
_OVMF = Path("/usr/share/OVMF")


def call(*words: object) -> None:
    """Run a program; what it says is shown when it fails."""
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


@dataclass(frozen=True)
class Key:
    """A private key with its certificate, in a folder of its own."""

    folder: Path

    @property
    def _certificate(self) -> Path:
        return self.folder / "certificate"

    def sign(self, program: Path) -> None:
        """Sign a UEFI program, in place."""
        how = ("--key", self.folder / "key", "--cert", self._certificate)
        call("sbsign", *how, "--output", program, program)

    def firmware(self) -> Firmware:
        """Firmware that does Secure Boot and knows no other certificate."""
        variables = self.folder / "variables.fd"
        keys = ("--set-pk", _OWNER, self._certificate, "--add-kek", _OWNER, self._certificate)
        store = ("--input", _OVMF / "OVMF_VARS_4M.fd", "--output", variables, "--sb")
        virt_fw_vars = Path(sys.executable).with_name("virt-fw-vars")
        call(virt_fw_vars, *store, *keys, "--add-db", _OWNER, self._certificate)
        code = _OVMF / "OVMF_CODE_4M.secboot.fd"
        return Firmware(code, variables, secure_boot=True, enrolled=True, smm=True)


def make_key(folder: Path, subject: str) -> Key:
    """A new key whose certificate has that name, such as ``/O=winimagetools/CN=Test``."""
    new = ("-newkey", "rsa:2048", "-nodes", "-days", "36500", "-keyout", folder / "key")
    call("openssl", "req", "-x509", *new, "-subj", subject, "-out", folder / "certificate")
    return Key(folder)
