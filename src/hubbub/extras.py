"""What an installation lacks, in one sentence: `pip install hubbub` brings the ConnectionManager alone.

The parts and their packages are the extras in pyproject.toml (docs/adr/0030-extras.md).
"""

SENTENCE = "{what} needs a package that is not installed ({package}). Install it with: pip install 'hubbub[{extra}]'"


def is_missing(error: ImportError) -> bool:
    """Return whether a package is not installed, rather than broken."""
    return isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] not in ("", "hubbub")


def explain(error: ImportError, what: str, extra: str) -> ImportError:
    """Return the error that says which extra brings the missing package; any other error as it is."""
    if not is_missing(error):
        return error
    package = (error.name or "").partition(".")[0]
    return ImportError(SENTENCE.format(what=what, package=package, extra=extra), name=package)
