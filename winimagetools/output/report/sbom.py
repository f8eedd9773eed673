"""The parts list of an image as CycloneDX 1.6, where that library is installed."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

_NAMESPACE = uuid.UUID("4f9fd1c4-9a0e-5d7c-b5c4-2f1d7f2c8a11")


def sbom_json(record: dict[str, Any]) -> str | None:
    """The parts list.

    Args:
        record: what :func:`winimagetools.output.report.facts.as_record` made.

    Returns:
        JSON; None where cyclonedx-python-lib is not installed.
    """
    try:
        from cyclonedx.model.bom import Bom, BomMetaData
        from cyclonedx.output.json import JsonV1Dot6
    except ImportError:
        return None
    image = _image(record)
    metadata = BomMetaData(
        component=image, timestamp=datetime.datetime.fromisoformat(record["finished"])
    )
    parts = list(_parts(record))
    serial = uuid.uuid5(_NAMESPACE, repr(sorted(record.items())))
    bom = Bom(metadata=metadata, components=parts, serial_number=serial)
    bom.register_dependency(image, parts)
    return JsonV1Dot6(bom).output_as_string(indent=2)


def _image(record: dict[str, Any]) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    image = record["image"]
    return Component(
        name=image["file"], type=ComponentType.FILE, bom_ref="image", hashes=_hashes(image)
    )


def _parts(record: dict[str, Any]) -> Iterator[Component]:
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.contact import OrganizationalEntity

    windows = record["windows"]
    yield Component(
        name=windows["name"] or "Windows",
        version=windows["version"],
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref="windows",
        supplier=OrganizationalEntity(name="Microsoft"),
    )
    for number, driver in enumerate(record["drivers"]):
        yield Component(
            name=driver["name"],
            version=driver["version"] or None,
            type=ComponentType.DEVICE_DRIVER,
            bom_ref=f"driver-{number}",
            description=f"{driver['inf']} of {driver['source']}",
        )
    for number, agent in enumerate(record["agents"]):
        yield Component(
            name=agent["name"],
            type=ComponentType.APPLICATION,
            bom_ref=f"agent-{number}",
            description="; ".join(agent["origins"]),
            hashes=_hashes(agent),
        )
    for number, update in enumerate(record["updates"]):
        yield Component(name=update, type=ComponentType.APPLICATION, bom_ref=f"update-{number}")
    for number, source in enumerate(record["inputs"]):
        yield Component(
            name=source["name"],
            type=ComponentType.FILE,
            bom_ref=f"input-{number}",
            description=source["role"],
            hashes=_hashes(source),
        )


def _hashes(item: dict[str, Any]) -> list[Any]:
    from cyclonedx.model import HashAlgorithm, HashType

    digest = item["sha256"]
    return [HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest else []
