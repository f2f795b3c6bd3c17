"""Texts in pieces: put together in order, forgotten when a piece is lost, bounded in bytes and time."""

import pytest

from hubbub.bus import texts
from hubbub.bus.texts import Piece, Pieces, TextCodec


def piece(offset: int, data: bytes, total: int = 6, topic: str = "t") -> Piece:
    return Piece(topic, offset, total, data)


def test_pieces_in_order_become_the_text() -> None:
    pieces = Pieces()
    assert pieces.add("n", piece(0, b"ab"), 0) is None
    assert pieces.add("n", piece(2, b"cd"), 0) is None
    assert pieces.add("n", piece(4, b"ef"), 0) == b"abcdef"
    assert (len(pieces), pieces.lost, pieces._size) == (0, 0, 0)


def test_senders_and_topics_do_not_mix() -> None:
    pieces = Pieces()
    for node, topic in (("n", "t"), ("n", "u"), ("m", "t")):
        assert pieces.add(node, piece(0, f"{node}{topic}.".encode(), topic=topic), 0) is None
    assert pieces.add("m", piece(3, b"end"), 0) == b"mt.end"
    assert pieces.add("n", piece(3, b"end", topic="u"), 0) == b"nu.end"
    assert pieces.add("n", piece(3, b"end"), 0) == b"nt.end"


@pytest.mark.parametrize(
    "after",
    [piece(4, b"ef"), piece(1, b"bcdef"), piece(2, b"cdefg", total=7)],
    ids=["a piece is missing", "an overlap", "of another text"],
)
def test_a_text_with_a_lost_piece_is_lost_and_the_next_one_arrives(after: Piece) -> None:
    pieces = Pieces()
    pieces.add("n", piece(0, b"ab"), 0)
    assert pieces.add("n", after, 0) is None
    assert (len(pieces), pieces.lost) == (0, 1)
    pieces.add("n", piece(0, b"gh"), 0)
    assert pieces.add("n", piece(2, b"ijkl"), 0) == b"ghijkl"


def test_a_new_text_replaces_one_that_is_not_complete() -> None:
    pieces = Pieces()
    pieces.add("n", piece(0, b"ab"), 0)
    pieces.add("n", piece(0, b"gh"), 0)
    assert pieces.lost == 1
    assert pieces.add("n", piece(2, b"ijkl"), 0) == b"ghijkl"


def test_a_rest_without_a_beginning_is_ignored() -> None:
    pieces = Pieces()
    assert pieces.add("n", piece(2, b"cdef"), 0) is None
    assert len(pieces) == 0


def test_texts_that_are_not_complete_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MAX_PIECES", 10 * (2 + texts.OVERHEAD))
    pieces = Pieces()
    for number in range(1_000):
        pieces.add(f"n{number}", piece(0, b"ab"), 0)
        assert pieces._size <= texts.MAX_PIECES
    assert (len(pieces), pieces.lost) == (10, 990)
    assert pieces.add("n999", piece(2, b"cdef"), 0) == b"abcdef"


def test_texts_that_are_not_complete_are_forgotten_after_a_while() -> None:
    pieces = Pieces()
    pieces.add("n", piece(0, b"ab"), 100.0)
    pieces.add("m", piece(0, b"ab"), 110.0)
    pieces.expire(100.0 + texts.PIECES_WAIT)
    assert (len(pieces), pieces.lost) == (1, 1)
    assert pieces.add("m", piece(2, b"cdef"), 110.0) == b"abcdef"


def test_a_message_is_never_larger_than_the_codec_says() -> None:
    codec = TextCodec("x" * 40, b"", "f" * 16)
    codec._number = 10**15
    for count in (0, 1, 50):
        total = texts.MAX_TEXT
        payload = codec.write([Piece(texts.topic_id("t"), total - 1, total, b"x")] * count)
        assert len(payload) <= texts.HEAD_BYTES + count * (texts.PIECE_BYTES + 1)
        node, pieces = codec.read(payload)
        assert (node, len(pieces)) == ("f" * 16, count)


def test_a_changed_message_is_refused() -> None:
    codec = TextCodec("name", b"a secret of sixteen bytes", "node")
    payload = codec.write([piece(0, b"abcdef")])
    assert codec.read(payload)[1] == [piece(0, b"abcdef")]
    for position in range(len(payload)):
        changed = bytearray(payload)
        changed[position] ^= 1
        with pytest.raises(ValueError):
            codec.read(bytes(changed))
    with pytest.raises(ValueError):
        TextCodec("other", b"a secret of sixteen bytes", "node").read(payload)
