"""The messages between managers: a signature, a head, and pieces of texts.

    hubbub1 SIGNATURE
    {"node": …, "n": …, "texts": [[TOPIC, OFFSET, TOTAL, LENGTH, KIND], …]}
    BYTES

`n` counts the messages of a sender, so that no two are equal. The bytes of all pieces follow each
other. A text that does not fit into one message is cut into pieces, which follow in order.

KIND is left out for TEXT. Texts of a kind that this process does not know are skipped, and so is
what follows KIND: newer processes may send both.
"""

from dataclasses import dataclass
from hashlib import blake2b

import orjson

from hubbub.bus.messages import Codec, Unreadable

TEXT, ENVELOPE = 0, 1
"""The kinds of texts: UTF-8 for clients, and a line of JSON with bytes after it (see the manager)."""
MAX_TEXT = 2**20
"""Bytes of a text."""
MAX_HEAD = 16 * 2**10
"""Bytes of the line of an envelope."""
LONGEST = {TEXT: MAX_TEXT, ENVELOPE: MAX_TEXT + MAX_HEAD}
"""Bytes of a text of each kind."""
MAX_PIECES = 8 * 2**20
"""Bytes of texts that are not complete yet, with OVERHEAD for each."""
PIECES_WAIT = 30.0
"""Seconds for which a text that is not complete waits for its next piece."""
OVERHEAD = 256
HEAD_BYTES = 160
"""Bytes of a message without pieces, and more than a signature, a node and a number can have."""
PIECE_BYTES = 64
"""Bytes of a piece in the head, at most."""
ALL = "all"
"""The topic of all connections. The ids of other topics are longer."""


def topic_id(topic: str, kind: str = "") -> str:
    """Return a name of the topic, of any text, that every bus can carry.

    Topics of two kinds, of at most 16 bytes each, have different names.
    """
    return blake2b(topic.encode("utf-8", "surrogatepass"), digest_size=12, person=kind.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a text of `total` bytes, from `offset` on. `topic` is a `topic_id` or ALL."""

    topic: str
    offset: int
    total: int
    data: bytes
    kind: int = TEXT


class TextCodec(Codec):
    """Writes and reads the messages of one manager. Without a secret, anyone can write them."""

    def __init__(self, name: str, secret: bytes, node: str) -> None:
        super().__init__(b"manager\0%b\0%b" % (name.encode(), secret), node)
        self._number = 0

    def write(self, pieces: list[Piece]) -> bytes:
        """Return a message of at most HEAD_BYTES, and for each piece PIECE_BYTES and its length."""
        self._number += 1
        texts = [
            (piece.topic, piece.offset, piece.total, len(piece.data), *([piece.kind] if piece.kind else []))
            for piece in pieces
        ]
        head = orjson.dumps({"node": self.node, "n": self._number, "texts": texts})
        return self._signed(b"%b\n%b" % (head, b"".join(piece.data for piece in pieces)))

    def read(self, payload: bytes) -> tuple[str, list[Piece]]:
        """Return the sender and the pieces. Raises Unreadable."""
        head, _, data = self._verified(payload).partition(b"\n")
        try:
            fields = orjson.loads(head)
            node, texts = fields["node"], fields["texts"]
            if not isinstance(node, str) or not isinstance(texts, list):
                raise ValueError("no texts")
            pieces, start = [], 0
            for topic, offset, total, length, *more in texts:
                kind = more[0] if more else TEXT
                if not isinstance(topic, str) or {type(number) for number in (offset, total, length, kind)} != {int}:
                    raise ValueError("no piece")
                if not 0 <= offset <= offset + length <= total or start + length > len(data):
                    raise ValueError("a wrong length")
                if kind in LONGEST:
                    if total > LONGEST[kind]:
                        raise ValueError("too long")
                    pieces.append(Piece(topic, offset, total, data[start : start + length], kind))
                start += length
        except (LookupError, TypeError, ValueError) as error:
            raise Unreadable(repr(error)) from error
        return node, pieces


class Pieces:
    """Texts that are not complete yet: one for each sender and topic, bounded in bytes and in time."""

    def __init__(self) -> None:
        self._begun: dict[tuple[str, str], tuple[float, tuple[int, int], bytearray]] = {}
        self._size = 0
        self.lost = 0
        """Texts that will not become complete."""

    def add(self, node: str, piece: Piece, now: float) -> bytes | None:
        """Return the text if the piece completes it. `now` is in seconds of any monotonic clock."""
        if piece.offset == 0 and len(piece.data) == piece.total:
            return piece.data
        key = (node, piece.topic)
        begun = self._begun.pop(key, None)
        if begun is not None:
            self._size -= len(begun[2]) + OVERHEAD
            if piece.offset == 0 or begun[1] != (piece.total, piece.kind):
                self.lost += 1
                begun = None
        if piece.offset == 0:
            text = bytearray()
        elif begun is None or len(begun[2]) != piece.offset:
            self.lost += begun is not None
            return None
        else:
            text = begun[2]
        text += piece.data
        if len(text) == piece.total:
            return bytes(text)
        self._begun[key] = (now, (piece.total, piece.kind), text)
        self._size += len(text) + OVERHEAD
        while self._size > MAX_PIECES:
            self._forget_oldest()
        return None

    def expire(self, now: float) -> None:
        """Forget the texts that have waited for PIECES_WAIT."""
        while self._begun and now - next(iter(self._begun.values()))[0] >= PIECES_WAIT:
            self._forget_oldest()

    def clear(self) -> None:
        self.lost += len(self._begun)
        self._begun.clear()
        self._size = 0

    def _forget_oldest(self) -> None:
        _, _, text = self._begun.pop(next(iter(self._begun)))  # in the order of their last pieces
        self._size -= len(text) + OVERHEAD
        self.lost += 1

    def __len__(self) -> int:
        return len(self._begun)
