"""The log: one JSON object per line, without secrets or control characters."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from hubbub import log


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Redirect the log during a test and restore the loggers after it."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    log.configure("info", "json", stream)
    yield stream
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_is_one_json_object_with_time_and_level(out: io.StringIO) -> None:
    structlog.get_logger().info("started", port=80)
    (line,) = lines(out)
    assert line["event"] == "started"
    assert line["port"] == 80
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")


NAMES = [
    "token", "access_token", "password", "Cookie", "set-cookie", "Authorization", "secret", "ticket", "body",
    "sec-websocket-protocol", "sec_websocket_protocol",
]  # fmt: skip
TEXTS = [
    "Authorization: Bearer swordfish", "bearer swordfish", "token=swordfish", "/ws?token=swordfish",
    "password: swordfish", "GET /a/b?c=swordfish HTTP/1.1", "http://h/p?q=swordfish", "http://h/setup#swordfish",
    "refresh_token='swordfish'",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_is_redacted_by_its_name_at_any_depth(out: io.StringIO, name: str) -> None:
    structlog.get_logger().info("x", **{name: "swordfish"}, inner={name: ["swordfish"]}, pairs=[(name, b"swordfish")])
    assert "swordfish" not in out.getvalue()


@pytest.mark.parametrize("text", TEXTS)
def test_a_secret_in_a_text_is_redacted(out: io.StringIO, text: str) -> None:
    structlog.get_logger().info(text, other=text)
    logging.getLogger("uvicorn.error").warning(text)
    assert "swordfish" not in out.getvalue()
    assert len(lines(out)) == 2


def test_control_characters_are_escaped_and_never_add_lines(out: io.StringIO) -> None:
    structlog.get_logger().info("a\nb", name="c\x1b[31m\x9bd\u202e")
    (line,) = lines(out)
    assert line["event"] == "a\\nb"
    assert line["name"] == "c\\x1b[31m\\x9bd\\u202e"


def test_a_traceback_stays_on_one_line(out: io.StringIO) -> None:
    try:
        raise ValueError("token=swordfish")
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = lines(out)
    assert "ValueError" in line["exception"]
    assert "swordfish" not in out.getvalue()


def test_other_loggers_and_warnings_use_the_same_format(out: io.StringIO) -> None:
    logging.getLogger("library").warning("hello %s", "you")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log.configure("info", "json", out)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    first, second = lines(out)
    assert (first["event"], first["logger"]) == ("hello you", "library")
    assert second["logger"] == "py.warnings"


def test_invalid_utf8_from_a_client_logs_no_traceback(out: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").error("Invalid UTF-8 sequence received from client.", exc_info=True)
    logging.getLogger("uvicorn.error").error("something else")
    assert [line["event"] for line in lines(out)] == ["something else"]


def test_access_logs_and_events_below_the_level_are_not_written(out: io.StringIO) -> None:
    logging.getLogger("uvicorn.access").info("GET /")
    structlog.get_logger().debug("small talk")
    assert out.getvalue() == ""


def test_text_format_for_terminals_redacts_secrets(out: io.StringIO) -> None:
    log.configure("info", "text", out)
    structlog.get_logger().info("started", token="swordfish", port=80)
    assert "started" in out.getvalue()
    assert "port=80" in out.getvalue()
    assert "swordfish" not in out.getvalue()
