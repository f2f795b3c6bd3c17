"""The version: this line is the one place that has it. `CONTRIBUTING.md` says when it changes."""

__version__ = "0.2.0"
