"""How a failed command ends: a sentence on stderr, and an exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from hubbub.settings import WrongSetting

FAILED, WRONG_USE = 1, 2
INTERRUPTED = 130
CHECK_DATABASE = "Check that it runs, and the address in HUBBUB_DATABASE_URL or the data folder in --data."


@contextmanager
def sentences() -> Iterator[None]:
    """End the program with a sentence for every error that is not a bug."""
    try:
        yield
    except WrongSetting as error:
        fail(str(error), WRONG_USE)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        fail(f"{error.strerror or error}{where}.")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        fail(_sentence(error))


def _sentence(error: Exception) -> str:
    """Return the message of an error that the operator can act on; raise any other."""
    # Imported here, so that `--version` and a misspelt command respond without loading everything.
    from hubbub.cli.operator import RequestRefused
    from hubbub.domain.errors import HubbubError
    from hubbub.gateways.native.listener import CannotListen
    from hubbub.storage.backup_format import BackupError
    from hubbub.storage.db_errors import NotPermitted, disk_is_full, reason_of
    from hubbub.storage.locks import InUse, Unsupported
    from hubbub.storage.migrate import TooNew
    from hubbub.storage.postgresql_startup import NotUp
    from hubbub.storage.signing_key import KeyUnusable

    if isinstance(error, HubbubError):
        if disk_is_full(error):
            return "The disk of the database is full. Free some space."
        reason = reason_of(error)
        return error.message if reason is None else f"The database does not answer: {reason}. {CHECK_DATABASE}"
    if isinstance(
        error,
        InUse | Unsupported | KeyUnusable | RequestRefused | CannotListen | TooNew | BackupError | NotUp | NotPermitted,
    ):
        return str(error)
    raise error


def fail(sentence: str, code: int = FAILED) -> NoReturn:
    typer.echo(f"hubbub: {sentence}", err=True)
    sys.exit(code)
