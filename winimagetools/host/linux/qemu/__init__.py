"""Running Windows in QEMU: the machine, its firmware, and following it until it is off."""
