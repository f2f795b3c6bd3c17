"""The fuzzer's corpus of valid, slightly wrong and deadly frames."""

import json
import random
import struct
from collections.abc import Callable
from typing import Any

from tests.gateways.raw import BINARY, CLOSE, CONT, PING, PONG, TEXT, frame

Fields = dict[str, Any]

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**53, 2**63, -(2**64), 1e308, "", " ", "room:1", "room:0", "user:1", "site",
    "security", "room:99999999999999999", "\u202ex", "\ufeff", "é" * 40, "x" * 9_000, "'; DROP TABLE event; --",
    "\x1b[2J", "\n\n", [], [[]], {}, {"a": {"b": [1, {"c": None}]}}, [1] * 200, "message.send", "hello", "ping",
)  # fmt: skip
PIECES = ("{", "}", "[", "]", '"', ":", ",", "\\", "\\u0000", "\\ud800", "NaN", "1e999", "null", "\0", "\t", "😀", "-")
TEXTS = ("", "ping", "null", "[]", "{}", '"', "[" * 500, '{"id":1,"id":2}', "\ufeff{}", '{"id": 1e400}', "9" * 5_000)


def command(dice: random.Random, room: int) -> Fields:
    """Return a valid command."""
    id_ = dice.randrange(1, 1_000_000)
    where = dice.choice((room, room, room, 1, dice.randrange(1, 1_000)))
    choice = dice.random()
    if choice < 0.2:
        key = f"f{dice.randrange(10**12)}"
        return {"id": id_, "type": "message.send", "room": where, "key": key, "body": "x" * dice.randrange(1, 200)}
    if choice < 0.3:
        after = dice.randrange(0, 10_000)
        return {"id": id_, "type": "events.since", "topic": f"room:{where}", "after": after, "limit": 2}
    if choice < 0.5:
        return {"id": id_, "type": "room.read", "room": where, "seq": dice.randrange(0, 1_000)}
    if choice < 0.6:
        return {"id": id_, "type": "room.join", "room": where}
    if choice < 0.65:
        return {"id": id_, "type": "member.remove", "room": where, "user": dice.randrange(1, 10)}
    if choice < 0.652:
        return {"id": id_, "type": "room.create", "kind": "public", "name": f"room {id_}", "key": f"r{id_ % 20}"}
    return {"id": id_, "type": "ping"}


def with_wrong_fields(dice: random.Random, fields: Fields) -> str:
    """Give one or two fields another type, remove them, or add one."""
    for _ in range(dice.randrange(1, 3)):
        name = dice.choice((*fields, "more"))
        if dice.random() < 0.2:
            fields.pop(name, None)
        else:
            fields[name] = dice.choice(HOSTILE)
    return json.dumps(fields, ensure_ascii=dice.random() < 0.5)


def with_wrong_characters(dice: random.Random, text: str) -> str:
    """Cut the text, duplicate parts, or insert characters with a meaning to parsers."""
    for _ in range(dice.randrange(1, 4)):
        at, end = sorted((dice.randrange(len(text) + 1), dice.randrange(len(text) + 1)))
        how = dice.randrange(4)
        if how == 0:
            text = text[:at] + dice.choice(PIECES) + text[at:]
        elif how == 1:
            text = text[:at] + text[min(end, at + 5) :]
        elif how == 2:
            text = text[:end]
        else:
            text = text[:end] + text[at:]
    return text


def message(dice: random.Random, room: int) -> str:
    """Return a text message, valid or not."""
    choice = dice.random()
    fields = command(dice, room)
    if choice < 0.15:
        return json.dumps(fields)
    if choice < 0.5:
        return with_wrong_fields(dice, fields)
    if choice < 0.85:
        return with_wrong_characters(dice, json.dumps(fields))
    if choice < 0.95:
        return dice.choice(TEXTS)
    return "".join(chr(dice.choice((dice.randrange(128), dice.randrange(0xD800)))) for _ in range(dice.randrange(60)))


def harmless(dice: random.Random, room: int) -> list[bytes]:
    """Return frames after which the connection stays open, whatever they contain."""
    choice = dice.random()
    if choice < 0.01:
        return [frame(dice.choice((PING, PONG)), dice.randbytes(dice.randrange(126)))]
    payload = message(dice, room).encode()
    if choice > 0.02:
        return [frame(TEXT, payload)]
    cuts = sorted(dice.randrange(len(payload) + 1) for _ in range(dice.randrange(1, 20)))
    parts = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    last = len(parts) - 1
    return [frame(CONT if n else TEXT, part, fin=n == last) for n, part in enumerate(parts)]


def _head(first: int, second: int) -> bytes:
    return bytes([first, second]) + b"\0\0\0\0"


DEADLY: tuple[Callable[[random.Random], list[bytes]], ...] = (
    lambda dice: [dice.randbytes(dice.randrange(1, 300))],
    lambda dice: [frame(dice.choice((3, 4, 5, 6, 7, 11, 12, 13, 14, 15)), b"x")],
    lambda dice: [_head(dice.choice((0xC1, 0xA1, 0x91, 0xF1, 0xC9)), 0x80)],
    lambda dice: [frame(TEXT, b"{}", masked=False)],
    lambda dice: [frame(BINARY, dice.randbytes(dice.randrange(200)))],
    lambda dice: [frame(TEXT, b"\xc3\x28" + dice.randbytes(9))],
    lambda dice: [frame(CONT, b"x", fin=dice.random() < 0.5)],
    lambda dice: [frame(TEXT, b"x", fin=False), frame(TEXT, b"y")],
    lambda dice: [frame(PING, b"x", fin=False)],
    lambda dice: [frame(dice.choice((PING, CLOSE)), b"x" * 126)],
    lambda dice: [b"\x81\xff" + struct.pack("!Q", dice.choice((65_537, 2**31, 2**63 - 1, 2**64 - 1)))],
    lambda dice: [frame(CLOSE, struct.pack("!H", dice.choice((0, 999, 1004, 1005, 1006, 1015, 2000, 65_535))))],
    lambda dice: [frame(CLOSE, b"\x03")],
    lambda dice: [frame(CLOSE, struct.pack("!H", 1000) + b"\xff\xfe")],
    lambda dice: [frame(TEXT, b" ", fin=False), *[frame(CONT, b" ", fin=False)] * 70],
    lambda dice: [frame(PING)] * 110,
    lambda dice: [frame(TEXT, b"x" * 66_000)],
    lambda dice: [frame(TEXT, message(dice, 1).encode())[: dice.randrange(1, 10)]],
)
"""Frames that end a connection, or begin one that never ends."""


def deadly(dice: random.Random) -> list[bytes]:
    return dice.choice(DEADLY)(dice)
