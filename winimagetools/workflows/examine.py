"""Everything that speaks against a configuration, found without building anything."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from winimagetools.contract import Host, InstallMedia
from winimagetools.host import select_host
from winimagetools.image.boot_manager import describe_boot_manager, find_boot_manager
from winimagetools.image.request import Workflow
from winimagetools.model import DiskLayout, WimImage
from winimagetools.plan import BuildPlan
from winimagetools.settings.findings import Findings
from winimagetools.settings.options import WindowsImageConfig
from winimagetools.workflows.prepare import look_at_golden, look_at_medium, prepare

WORKFLOWS = {
    "cloud": Workflow.CLOUD,
    "online": Workflow.ONLINE,
    "golden": Workflow.GOLDEN,
    "test": Workflow.TEST,
}
"""The workflows by the first word of their commands."""


@dataclass(frozen=True)
class Examination:
    """What was found of a configuration.

    Args:
        found: problems and warnings; nothing was said about them.
        notes: what would be made, a sentence each.
    """

    found: Findings
    notes: tuple[str, ...] = ()


def examine(
    config_file_path: Path | str,
    workflow: Workflow | None = None,
    *,
    overrides: Sequence[str] = (),
    strict: bool = False,
    host: Host | None = None,
) -> Examination:
    """Look at a configuration and at all it names, as a workflow does before its first step.

    A golden image is looked at where this host can do that without a copy.

    Args:
        config_file_path: the configuration.
        workflow: what it is for; None for the one it looks made for.
        overrides: ``section.key=value`` texts that win over the file.
        strict: every warning is a problem.
        host: the machine that would do it; this one by default.

    Raises:
        ConfigurationError: the configuration cannot be read at all.
    """
    host = host or select_host()
    with ExitStack() as opened:
        chosen = workflow or Workflow.CLOUD
        prepared = prepare(chosen, host, config_file_path, overrides, strict, opened)
        if workflow is None and _is_for_golden(prepared.found.config):
            chosen = Workflow.GOLDEN
            prepared = prepare(chosen, host, config_file_path, overrides, strict, opened)
        if chosen in (Workflow.CLOUD, Workflow.ONLINE):
            decided = look_at_medium(prepared, opened)
            return Examination(prepared.found, _notes(*decided) if decided is not None else ())
        if chosen is Workflow.GOLDEN:
            look_at_golden(prepared)
        return Examination(prepared.found)


def _is_for_golden(config: WindowsImageConfig) -> bool:
    return bool(config.gold_image_path) and not config.origin.is_explicit("wim_file_path")


def _notes(medium: InstallMedia, edition: WimImage, plan: BuildPlan) -> tuple[str, ...]:
    made = (
        f"{plan.delivery.path.name} would hold {edition.name} ({edition.version}, "
        f"{edition.architecture}) and start with {plan.layout} firmware."
    )
    if plan.layout is not DiskLayout.UEFI:
        return (made,)
    manager = find_boot_manager(partial(medium.read_file, edition), ex=plan.boot_ex)
    sentence = describe_boot_manager(manager)
    return (made, sentence) if sentence else (made,)
