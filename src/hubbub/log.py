"""The server's log on stderr: JSON lines, or coloured text on a terminal.

Everything takes the same path, including uvicorn's messages and Python's warnings: secrets are
redacted by name, control characters become visible escapes, URLs lose their queries. Message bodies
are never logged.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from hubbub.domain.text import one_line

SECRET_NAMES = re.compile(
    r"authorization|cookie|sec[-_]websocket[-_]protocol|token|ticket|passw(or)?d|secret|signature|^body$",
    re.IGNORECASE,
)
SECRET_TEXT = re.compile(
    # The lookbehind makes a match start at the beginning of a word: starting at each hyphen would
    # take quadratic time.
    r"(?P<name>\bbearer\s+|(?<![\w-])[\w-]*(?:token|ticket|password|secret|authorization|cookie)[\"']?\s*[=:]\s*)"
    r"[\"']?(?:(?:bearer|basic)\s+)?[^\s\"',;&]+",
    re.IGNORECASE,
)
QUERY = re.compile(r"(?P<path>(?:^|[\s\"'])(?:[a-z]+://[^\s/?#\"']+)?/[^\s?#\"']*)[?#][^\s\"']*", re.IGNORECASE)
BLANK = "[redacted]"
LONGEST = 2_000
"""Characters per value. Longer values help no reader and could fill the disk."""
TRACES = ("exception", "stack")
# An invalid frame is the client's mistake and closes its connection; uvicorn logs a traceback for
# each.
NOISE = ("Invalid UTF-8 sequence received from client.",)


def configure(
    level: str = "info",
    form: Literal["auto", "json", "text"] = "auto",
    stream: TextIO | None = None,
    *,
    worker: int | None = None,
) -> None:
    """Route structlog, the standard library's loggers and warnings to `stream`.

    Each line has the number of the `worker`, if there is one. May be called again.
    """

    def add_worker(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {"worker": worker, **event}

    out = stream or sys.stderr
    text = form == "text" or (form == "auto" and out.isatty())
    shared: list[Processor] = [
        *([] if worker is None else [add_worker]),
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        clean,
    ]
    last: list[Processor] = (
        [_indent, structlog.dev.ConsoleRenderer(colors=out.isatty())] if text else [structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    handler.addFilter(_is_relevant)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    _adopt_others()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def configure_for_host() -> None:
    """Log to the standard library's loggers, which the host application configures."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            clean,
            structlog.processors.LogfmtRenderer(key_order=["event"], bool_as_flag=False),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _adopt_others() -> None:
    """Remove handlers and levels from the loggers of libraries.

    There is no access log.
    """
    logging.captureWarnings(True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi", "uvicorn.access", "py.warnings", "asyncio", "alembic"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    logging.getLogger("uvicorn.access").disabled = True
    # The server logs in its own words what uvicorn logs at "info" (started, finished, each
    # WebSocket).
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("websockets").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _is_relevant(record: logging.LogRecord) -> bool:
    return record.msg not in NOISE if isinstance(record.msg, str) else True


def clean(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Remove secrets, queries and control characters: the last step before rendering."""
    return {key: _clean(key, value, lines=key in TRACES) for key, value in event.items()}


def _indent(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Indent tracebacks in text: none of their lines may look like an event."""
    for name in TRACES:
        if isinstance(event.get(name), str):
            event[name] = "\n".join(f"  | {line}" for line in event[name].split("\n"))
    return event


def _clean(name: str, value: Any, *, lines: bool = False, depth: int = 0) -> Any:
    if name.startswith("_"):  # the record itself, passed between structlog's own steps
        return value
    if value is not None and not isinstance(value, bool) and SECRET_NAMES.search(name):
        return BLANK
    if isinstance(value, bytes):
        value = value.decode(errors="backslashreplace")
    if isinstance(value, str):
        return "\n".join(map(_clean_text, value.split("\n"))) if lines else _clean_text(value)
    if depth < 8:
        if isinstance(value, Mapping | MutableMapping):
            return {_clean_text(str(key)): _clean(str(key), item, depth=depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [_clean_item(item, depth) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _clean_text(repr(value))


def _clean_item(item: Any, depth: int) -> Any:
    """Clean an item of a list.

    Pairs of a name and a value (headers) are treated by their name.
    """
    if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str | bytes):
        name = item[0].decode(errors="replace") if isinstance(item[0], bytes) else item[0]
        return [name, _clean(name, item[1], depth=depth + 1)]
    return _clean("", item, depth=depth + 1)


def _clean_text(text: str) -> str:
    if len(text) > LONGEST:
        text = text[:LONGEST] + "…"
    text = QUERY.sub(r"\g<path>", text)
    return one_line(SECRET_TEXT.sub(rf"\g<name>{BLANK}", text))
