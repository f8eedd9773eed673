"""INF files of driver packages: syntax, which Windows they are for, what they install."""
