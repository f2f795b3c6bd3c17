"""How a command ends when it cannot do what it was asked: one sentence on stderr, and an exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from hubbub.settings import WrongSetting

REFUSED, WRONG_USE = 1, 2


@contextmanager
def sentences() -> Iterator[None]:
    """Ends the program with one sentence for every error that is not a bug of ours."""
    try:
        yield
    except WrongSetting as error:
        fail(str(error), WRONG_USE)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        fail(f"{error.strerror or error}{where}.")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        fail(_sentence(error))


def _sentence(error: Exception) -> str:
    """What an error says that somebody who runs the program can do something about; any other is raised."""
    # Here, since whoever only asks for the version or has misspelt a word need not wait for all of it.
    from hubbub.control import Refused
    from hubbub.domain.errors import HubbubError
    from hubbub.gateways.websocket.listener import CannotListen
    from hubbub.storage.backup_format import BackupError
    from hubbub.storage.db_errors import disk_is_full
    from hubbub.storage.locks import InUse
    from hubbub.storage.migrate import TooNew
    from hubbub.storage.signing_key import KeyUnusable

    if isinstance(error, HubbubError):
        return "The disk of the database is full: free some space." if disk_is_full(error) else error.message
    if isinstance(error, InUse | KeyUnusable | Refused | CannotListen | TooNew | BackupError):
        return str(error)
    raise error


def fail(sentence: str, code: int = REFUSED) -> NoReturn:
    typer.echo(f"hubbub: {sentence}", err=True)
    sys.exit(code)
