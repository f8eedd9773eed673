"""The boot configuration store: its objects, elements and devices as data."""
