"""Server frames (RFC 6455, section 5.2).

They are not masked, so that all recipients share the same bytes.
"""

from collections.abc import Sequence
from struct import Struct

from hubbub.delivery.connections import Blob, Message

CHUNK = 65_536
"""The maximum of bytes handed to a transport: they cannot be withdrawn."""
PING = b"\x89\x00"

_TEXT = 0x81
_SHORT, _MEDIUM, _LONG = Struct("!BB").pack, Struct("!BBH").pack, Struct("!BBQ").pack


def text_frame(message: Message) -> bytes:
    """Return the message as one final, unfragmented text frame."""
    text = message.text
    length = len(text)
    if length < 126:
        return _SHORT(_TEXT, length) + text
    if length < 65_536:
        return _MEDIUM(_TEXT, 126, length) + text
    return _LONG(_TEXT, 127, length) + text


class FrameFormat:
    """The messages as whole frames of JSON text."""

    def pack(self, messages: Sequence[Message]) -> Blob:
        """Join whole frames into chunks of at most CHUNK bytes.

        A longer frame is a chunk of its own.
        """
        if len(messages) == 1:
            return (messages[0].encoded(text_frame),)
        frames = [message.encoded(text_frame) for message in messages]
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
