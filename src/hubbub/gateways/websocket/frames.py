"""Server frames (RFC 6455, section 5.2).

They are not masked, so that all recipients share the same bytes.
"""

from collections.abc import Sequence
from struct import Struct

from hubbub.delivery.connections import Blob, Message

CHUNK = 65_536
"""The maximum of bytes handed to a transport: they cannot be withdrawn."""
PING = b"\x89\x00"

_TEXT, _BINARY = 0x81, 0x82
_SHORT, _MEDIUM, _LONG = Struct("!BB").pack, Struct("!BBH").pack, Struct("!BBQ").pack


def data_frame(message: Message) -> bytes:
    """Return the message as one final, unfragmented frame of text or of bytes."""
    text = message.text
    opcode = _BINARY if message.binary else _TEXT
    length = len(text)
    if length < 126:
        return _SHORT(opcode, length) + text
    if length < 65_536:
        return _MEDIUM(opcode, 126, length) + text
    return _LONG(opcode, 127, length) + text


class FrameFormat:
    """The messages as whole frames."""

    def pack(self, messages: Sequence[Message]) -> Blob:
        """Join whole frames into chunks of at most CHUNK bytes.

        A longer frame is a chunk of its own.
        """
        if len(messages) == 1:
            return (messages[0].encoded(data_frame),)
        frames = [message.encoded(data_frame) for message in messages]
        chunks: list[bytes] = []
        start = size = 0
        for index, frame in enumerate(frames):
            if size and size + len(frame) > CHUNK:
                chunks.append(b"".join(frames[start:index]))
                start, size = index, 0
            size += len(frame)
        chunks.append(b"".join(frames[start:]))
        return chunks


FRAMES = FrameFormat()
