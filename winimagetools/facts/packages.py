"""In which package of which distribution a program or library is.

Errors name the packages of Debian and Ubuntu, which are those this project is tested with. The
names of Fedora and openSUSE are those of their own package lists; nobody has tried them here.
"""

from __future__ import annotations

from collections.abc import Iterable

INSTALLERS = {
    "debian": "apt install",
    "ubuntu": "apt install",
    "fedora": "dnf install",
    "opensuse": "zypper install",
}
"""How each distribution installs a package, by the names ``ID`` and ``ID_LIKE`` of
os-release(5) have for it."""
_FAMILIES = {"rhel": "fedora", "centos": "fedora", "suse": "opensuse"}
"""Other names in ``ID_LIKE`` of distributions with the packages of those above."""

PACKAGES: dict[str, tuple[str, str]] = {
    "libwim15": ("wimlib", "libwim15"),
    "libhivex0": ("hivex-libs", "libhivex0"),
    "libntfs-3g89": ("ntfs-3g-libs", "libntfs-3g89"),
    "ntfs-3g": ("ntfs-3g ntfsprogs", "ntfs-3g ntfsprogs"),
    "mtools": ("mtools", "mtools"),
    "fdisk": ("util-linux", "util-linux"),
    "util-linux": ("util-linux", "util-linux"),
    "qemu-utils": ("qemu-img", "qemu-tools"),
    "qemu-system-common": ("qemu-img", "qemu-tools"),
    "qemu-system-x86": ("qemu-system-x86", "qemu-x86"),
    "ovmf": ("edk2-ovmf", "qemu-ovmf-x86_64"),
    "swtpm": ("swtpm", "swtpm"),
    "fuse3": ("fuse3", "fuse3"),
    "grub-common": ("grub2-tools", "grub2"),
    "grub-pc-bin": ("grub2-pc-modules", "grub2-i386-pc"),
}
"""Packages of Debian, and those of Fedora and of openSUSE with the same content."""


def distribution(names: Iterable[str]) -> str:
    """Which of :data:`INSTALLERS` a system is, by the names it has for itself.

    Args:
        names: ``ID`` and the words of ``ID_LIKE``, the nearest first.

    Returns:
        Its name, empty for one of another family.
    """
    for name in names:
        known = "opensuse" if name.startswith("opensuse") else _FAMILIES.get(name, name)
        if known in INSTALLERS:
            return known
    return ""


def install_hint(package: str, system: str) -> str:
    """What to do about a missing package.

    Args:
        package: of Debian.
        system: what :func:`distribution` found; empty names the packages of all.
    """
    if system in INSTALLERS:
        return f"Install it: {install_command(package, system)}"
    if package not in PACKAGES:
        return f"Install what Debian calls {package}."
    ways = [
        f"{install_command(package, name)} ({where})"
        for name, where in (
            ("debian", "Debian, Ubuntu"),
            ("fedora", "Fedora"),
            ("opensuse", "openSUSE"),
        )
    ]
    return f"Install it: {', '.join(ways)}"


def install_command(package: str, system: str) -> str:
    """The command that installs what Debian calls ``package`` on one of the distributions."""
    fedora, opensuse = PACKAGES.get(package, (package, package))
    names = {"fedora": fedora, "opensuse": opensuse}.get(system, package)
    return f"{INSTALLERS[system]} {names}"
