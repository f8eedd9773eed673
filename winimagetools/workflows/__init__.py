"""When: each workflow as a contents page."""
