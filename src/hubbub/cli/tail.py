"""`hubbub tail`: the events of a room, as they happen."""

import os
import select
import signal
import sys
import time
from typing import Annotated, Any

import typer

from hubbub.cli import options
from hubbub.cli.errors import INTERRUPTED
from hubbub.cli.options import Config, Data

POLL = 1.0
"""Seconds between two looks into the database while no server runs."""
ENVELOPE = ("topic", "seq", "type", "at", "by", "name")


def tail(
    room: Annotated[
        str, typer.Argument(help="The room's id or name, or `site`.", show_default=False, callback=options.word)
    ],
    since: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=2**53 - 1,
            help="Begin after this seq; 0 is the start of what is kept. "
            "Without it: from now, or with --no-follow from the start.",
            show_default=False,
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Wait for new events.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print each event as a line of JSON.")] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Print the events of a room, one line each, and follow it.

    Works with and without a running server, and across its restarts.
    """
    settings = options.settings({"data": data, "log_level": "error"}, config)
    if follow:
        signal.signal(signal.SIGINT, _end)
    from hubbub.cli.operator import STOPPED, RequestRefused
    from hubbub.cli.request import ask_with
    from hubbub.control import MAX_WAIT, Tail
    from hubbub.domain.errors import Unavailable
    from hubbub.storage.locks import InUse

    after, epoch = since if since is not None or follow else 0, None
    wanted = first = True
    try:
        while wanted:
            began = time.monotonic()
            try:
                wait = MAX_WAIT if follow else 0
                page: Any = ask_with(settings, Tail(topic=room, after=after, epoch=epoch, wait=wait))
            except (RequestRefused, Unavailable, InUse) as error:
                if first or not follow or (isinstance(error, RequestRefused) and str(error) != STOPPED):
                    raise
                page = None  # the server restarts, or the database is away for a moment
            if page is not None:
                if page["reset"]:
                    _note(after, page, first)
                _print(page["events"], json)
                room, after, epoch, first = page["topic"], page["last"], page["epoch"], False
                wanted = follow or page["last"] < page["head"]
            if page is None or not page["events"]:
                _pause(began + POLL - time.monotonic() if follow else 0)
    except BrokenPipeError:
        # Python flushes standard output once more at exit, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end(_number: int, _frame: object) -> None:
    """End at once. An exception that is raised in a finalizer would be lost, and the command would go on."""
    os._exit(INTERRUPTED)


def _print(events: list[dict[str, Any]], json: bool) -> None:
    """Print events. Blocks as long as the reader of a pipe is busy."""
    import orjson

    for event in events:
        sys.stdout.write(orjson.dumps(event).decode() if json else line(event))
        sys.stdout.write("\n")
    sys.stdout.flush()


def line(event: dict[str, Any]) -> str:
    """Return an event as one line: seq, time, type, author, and the text or the other fields.

    Control characters are escaped, so that no text can act on the terminal or forge a line.
    """
    import orjson

    from hubbub.domain.text import one_line

    rest = {name: value for name, value in event.items() if name not in ENVELOPE}
    body = rest.pop("body", None)
    details = [str(body)] if isinstance(body, str) else []
    if rest and not isinstance(body, str):
        details.append(orjson.dumps(rest).decode())
    if (author := event.get("name") or event.get("by")) is not None:
        details.insert(0, f"{author}:")
    moment = event["at"][:19].replace("T", " ")
    return one_line(" ".join([f"{event['seq']:>6} {moment} {event['type']}", *details]))


def _note(after: int | None, page: dict[str, Any], first: bool) -> None:
    """Say on stderr why events are missing."""
    if (after or 0) < page["floor"] and page["last"] >= page["floor"]:
        if after or not first:
            typer.echo(f"hubbub: The events up to {page['floor']} are no longer kept.", err=True)
    else:
        typer.echo(
            f"hubbub: The history does not contain the position {after}: it began anew, or the position is in the "
            f"future. Continuing after {page['head']}.",
            err=True,
        )


def _pause(seconds: float) -> None:
    """Wait, but not longer than the reader of standard output lives. Raises BrokenPipeError."""
    watched = select.poll()
    try:
        watched.register(sys.stdout.fileno(), 0)  # only errors, which include a closed pipe
    except (OSError, ValueError):
        time.sleep(max(0, seconds))
        return
    if watched.poll(max(0, seconds) * 1000):
        raise BrokenPipeError
