"""The command line: arguments, what each command does, and the only place that prints."""
