"""The report of an image: what went into it, as JSON, as a page, as SBOM and as provenance."""
