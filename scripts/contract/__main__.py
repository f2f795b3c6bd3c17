"""Write the generated files of the contract, or print where they differ from what the code generates.

python -m scripts.contract [--check]
"""

import argparse
import logging
import sys
from collections.abc import Mapping

import structlog
from scripts.contract import lists
from scripts.contract.output import ROOT, differences, write


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.contract", description="Write the generated files of the contract."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file would change")
    check = parser.parse_args().check
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    finish(lists.files(ROOT), check=check)
    from scripts.contract import documents  # imports all of Hubbub, which needs correct lists

    finish(documents.files(), check=check)


def finish(generated: Mapping[str, str], *, check: bool) -> None:
    """Write the files, or exit with the differences if there are any."""
    if not check:
        write(generated)
    elif found := differences(generated):
        sys.exit(f"{found}\n\nThe generated files are out of date: run `make contract` and commit the changes.")


if __name__ == "__main__":
    main()
