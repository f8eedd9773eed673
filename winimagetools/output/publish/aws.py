"""Amazon EC2: a snapshot of the disk, registered as an image.

Formats are those of "Importing a disk as a snapshot using VM Import/Export" (AWS).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from winimagetools.errors import RequestError
from winimagetools.model import Architecture, DiskFormat
from winimagetools.output.publish.target import (
    Parameter,
    PublishedImage,
    Target,
    need_container,
    shell,
)

_ARCHITECTURES = {Architecture.AMD64: "x86_64", Architecture.X86: "i386"}
_BOOT_MODES = {True: "uefi", False: "legacy-bios"}


def _commands(image: PublishedImage, values: Mapping[str, str]) -> list[str]:
    need_container(image, "EC2", DiskFormat.RAW, DiskFormat.VHD)
    mode = _boot_mode(image, values["boot_mode"])
    region = ("--region", values["region"])
    bucket, key = values["bucket"], image.path.name
    disk = {"Format": image.container, "UserBucket": {"S3Bucket": bucket, "S3Key": key}}
    task = "ImportSnapshotTasks[0].SnapshotTaskDetail.SnapshotId"
    importing = shell(
        "aws", "ec2", "import-snapshot", *region, "--disk-container", json.dumps(disk)
    )
    mapping = '[{"DeviceName":"/dev/sda1","Ebs":{"SnapshotId":"\'"$snapshot"\'"}}]'
    words = ["aws", "ec2", "register-image", *region, "--name", values["name"] or image.name]
    words += ["--architecture", _ARCHITECTURES[image.architecture], "--boot-mode", mode]
    words += ["--virtualization-type", "hvm", "--root-device-name", "/dev/sda1"]
    words += ["--tpm-support", "v2.0"] if mode == "uefi" else []
    waiting = shell("aws", "ec2", "wait", "snapshot-imported", *region)
    asking = shell("aws", "ec2", "describe-import-snapshot-tasks", *region)
    return [
        shell("aws", "s3", "cp", image.path, f"s3://{bucket}/{key}"),
        f'task="$({importing} --query ImportTaskId --output text)"',
        f'{waiting} --import-task-ids "$task"',
        f'snapshot="$({asking} --import-task-ids "$task" --query \'{task}\' --output text)"',
        f"{shell(*words)} --block-device-mappings '{mapping}'",
    ]


def _boot_mode(image: PublishedImage, wanted: str) -> str:
    if image.architecture not in _ARCHITECTURES:
        raise RequestError(
            f"{image.path} is for {image.architecture}; EC2 runs Windows on x86 only.",
            "Build it from a medium for amd64.",
        )
    own = _BOOT_MODES[image.uefi]
    if wanted == "uefi-preferred":
        raise RequestError(
            "An image with the boot mode uefi-preferred cannot be imported.",
            f"Leave boot_mode out: this image starts with {own}.",
        )
    if wanted not in ("", own):
        raise RequestError(
            f"{image.path} starts with {own}, not with {wanted}.", "Leave boot_mode out."
        )
    return own


TARGET = Target(
    "aws",
    "Amazon EC2",
    (
        Parameter("bucket", "S3 bucket the disk goes through"),
        Parameter("region", "region of the image"),
        Parameter("name", "name of the image", ""),
        Parameter("boot_mode", "uefi or legacy-bios (that of the image)", ""),
    ),
    _commands,
)
