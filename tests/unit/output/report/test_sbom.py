"""The parts list, validated strictly against CycloneDX 1.6."""

from __future__ import annotations

import dataclasses
import json
import sys

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.unit.output.report.sample import DIGEST, REPORT
from winimagetools.output.report.facts import as_record
from winimagetools.output.report.sbom import sbom_json


def test_it_is_valid_and_complete() -> None:
    """Windows, drivers, agents, updates and inputs are parts of the image."""
    text = sbom_json(as_record(REPORT))
    assert text is not None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bom = json.loads(text)
    assert bom["specVersion"] == "1.6"
    assert bom["metadata"]["timestamp"] == REPORT.finished
    image = bom["metadata"]["component"]
    assert image["name"] == "win.qcow2"
    assert image["hashes"] == [{"alg": "SHA-256", "content": DIGEST}]
    parts = {item["name"]: item for item in bom["components"]}
    assert parts["Windows Server 2022 <Standard> & more"]["type"] == "operating-system"
    assert parts["viostor"]["type"] == "device-driver"
    assert parts["viostor"]["version"] == "100.95.104"
    assert parts["QEMU guest agent"]["hashes"][0]["content"] == "ef" * 32
    assert parts["windows.iso"]["hashes"][0]["content"] == "cd" * 32
    assert "kb5031364.msu" in parts
    depends = {item["ref"]: item.get("dependsOn", []) for item in bom["dependencies"]}
    assert len(depends["image"]) == len(parts) == 5


def test_the_same_report_has_the_same_parts_list() -> None:
    """Its serial number comes from the content."""
    record = as_record(REPORT)
    assert sbom_json(record) == sbom_json(as_record(REPORT))
    other = as_record(dataclasses.replace(REPORT, updates=()))
    assert (
        json.loads(sbom_json(other) or "")["serialNumber"]
        != json.loads(sbom_json(record) or "")["serialNumber"]
    )


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none, and nothing fails."""
    monkeypatch.setitem(sys.modules, "cyclonedx.model.bom", None)
    assert sbom_json(as_record(REPORT)) is None
