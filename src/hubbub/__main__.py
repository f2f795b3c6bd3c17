"""The entry point of `hubbub` and `python -m hubbub`."""

import sys

from hubbub import extras


def main() -> None:
    """Run the command line. Ends the program with a sentence if its packages are not installed."""
    try:
        from hubbub import cli
    except ImportError as error:
        if not extras.is_missing(error):
            raise
        sys.exit(f"hubbub: {extras.explain(error, 'The command line', 'server')}")
    cli.main()


if __name__ == "__main__":
    main()
