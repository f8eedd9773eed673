"""Doing what was decided, the same on every host: files into an image, and offline steps."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

from winimagetools import log
from winimagetools.contract import Disk, Fetcher, Host, OfflineServicing, WindowsTree
from winimagetools.errors import BuildError, ChecksumError, DownloadError, MediaError
from winimagetools.plan import (
    AddCapabilities,
    AddDrivers,
    AddPackage,
    CleanUpdates,
    Content,
    Download,
    EditRegistry,
    EnableFeatures,
    FileAddition,
    FileChange,
    FileRemoval,
    FileSource,
    HostPath,
    Member,
    OfflineStep,
)


def change_files(tree: WindowsTree, changes: Sequence[FileChange], fetcher: Fetcher) -> None:
    """Put files into an image and take others out of it, in order.

    Args:
        tree: the image.
        changes: of a plan.
        fetcher: the network.

    Raises:
        MediaError: a source cannot be read.
        DownloadError, ChecksumError: a download failed.
        BuildError: something cannot be put into a Windows volume.
    """
    for change in changes:
        if isinstance(change, FileRemoval):
            tree.remove(change.target)
        else:
            _add(tree, change, fetcher)


def _add(tree: WindowsTree, addition: FileAddition, fetcher: Fetcher) -> None:
    """Try the sources in turn; a checksum that does not match ends it and leaves nothing."""
    last = len(addition.sources) - 1
    for position, source in enumerate(addition.sources):
        try:
            _put(tree, source, addition, fetcher)
            return
        except ChecksumError:
            tree.remove(addition.target)
            raise
        except (MediaError, BuildError) as error:
            if position == last:
                raise
            log.warning(f"{error.message} Trying the next place.")


def _put(tree: WindowsTree, source: FileSource, addition: FileAddition, fetcher: Fetcher) -> None:
    if addition.title:
        log.info(f"{addition.title}: {describe_source(source)}")
    match source:
        case Content(data):
            tree.write_bytes(addition.target, data)
        case HostPath(path):
            tree.copy_in(path, addition.target)
        case Member(opened, path):
            with tempfile.TemporaryDirectory(prefix="winimagetools-") as folder:
                local = Path(folder, PureWindowsPath(addition.target).name)
                opened.copy_out(path, local)
                tree.copy_in(local, addition.target)
        case Download():
            try:
                _download(tree, source, addition, fetcher)
            except ChecksumError:
                raise
            except DownloadError as error:
                error.hint = f"{error.hint or error.remedy} {source.instead}".rstrip()
                raise


def _download(
    tree: WindowsTree, source: Download, addition: FileAddition, fetcher: Fetcher
) -> None:
    if source.member:
        tree.write_bytes(addition.target, fetcher.fetch_member(source.url, source.member))
    else:
        file = fetcher.fetch(source.url, sha256=source.sha256, magic=source.magic)
        tree.copy_in(file, addition.target)


def describe_source(source: FileSource) -> str:
    """Where a file comes from, for people: a path, a place on an ISO, an address."""
    match source:
        case HostPath(path):
            return str(path)
        case Member(opened, path):
            return f"{path} from {opened.name}"
        case Download(url, _, _, member):
            return f"{member} out of {url}" if member else url
        case Content():
            return "made here"


def take_steps(host: Host, disk: Disk, steps: Sequence[OfflineStep]) -> None:
    """Do what is to be done to an image before it starts, in order.

    Args:
        host: what is planned for a host without :class:`OfflineServicing` asks for none of it.
        disk: its image has been applied.
        steps: of a plan.
    """
    for step in steps:
        if isinstance(step, EditRegistry):
            host.servicing.edit_registry(disk, step.edits)
        elif host.offline is None:
            raise BuildError(f"{host.name} cannot do this to an image that does not run: {step}")
        else:
            _service(host.offline, disk, step)


def _service(
    offline: OfflineServicing,
    disk: Disk,
    step: AddDrivers | EnableFeatures | AddPackage | AddCapabilities | CleanUpdates,
) -> None:
    match step:
        case AddDrivers(plan):
            offline.add_drivers(disk, plan)
        case EnableFeatures(names):
            offline.enable_features(disk, names)
        case AddPackage(path, ignore_errors):
            offline.add_package(disk, path, ignore_errors)
        case AddCapabilities(names):
            offline.add_capabilities(disk, names)
        case CleanUpdates(purge):
            offline.clean_updates(disk, purge)
