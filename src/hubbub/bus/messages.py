"""The messages between nodes: a signature, a head, and entries as they are on the wire.

    hubbub1 SIGNATURE
    {"node": …, "epoch": …, "heads": {TOPIC: SEQ, …}, "all": false, "signals": [[KIND, CONTENT, TOPIC], …]}
    ENTRY
    …

The signature is a keyed hash of everything behind it. The key is derived from the site's signing
key, so that messages of another site, or of a program that does not belong to the site, are ignored.
A message without entries is a hint: the receiver reads the log. Signals are not in the log.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from hubbub.domain.entries import parse_entry
from hubbub.domain.events import Entry

VERSION = b"hubbub1"
MAX_MESSAGE = 8 * 2**20
"""Bytes of the largest message that is read."""
MAX_HEADS = 100_000
MAX_NAME = 100
"""Characters of a topic, a node or an epoch."""
MAX_SEQ = 2**53
MAX_SIGNALS = 10_000
"""Signals of a message. The shortest ones of the largest message that is sent are fewer."""


class Unreadable(ValueError):
    """The message is not one of this site, or is damaged."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a node tells the others.

    `heads` are the seqs up to which topics reach. `everything` asks to compare all topics. `signals`
    are of a kind, with a content, to the nodes that follow a topic or (None) to all.
    """

    node: str
    epoch: str
    heads: Mapping[str, int]
    everything: bool = False
    entries: Sequence[Entry] = ()
    signals: Sequence[tuple[str, Mapping[str, Any], str | None]] = ()


class Codec:
    """Writes and reads the messages of one node. `secret` is the site's signing key."""

    def __init__(self, secret: bytes, node: str) -> None:
        self.node = node
        self._key = blake2b(b"hubbub bus\0" + secret, digest_size=32).digest()

    def encode(
        self,
        epoch: str,
        heads: Mapping[str, int],
        texts: Sequence[bytes] = (),
        *,
        everything: bool = False,
        signals: Sequence[bytes] = (),
    ) -> bytes:
        """Return a message. `texts` are entries as they are on the wire, `signals` are of a SignalQueue."""
        fields = {"node": self.node, "epoch": epoch, "heads": heads, "all": everything}
        if signals:
            fields["signals"] = orjson.Fragment(b"[%b]" % b",".join(signals))
        rest = b"\n".join((orjson.dumps(fields), *texts))
        return self._signed(rest)

    def decode(self, payload: bytes) -> Message:
        """Return the message. Raises Unreadable."""
        head, *texts = self._verified(payload).split(b"\n")
        try:
            fields = orjson.loads(head)
            node, epoch, heads = str(fields["node"]), str(fields["epoch"]), fields["heads"]
            entries = [parse_entry(text) for text in texts]
            if not _are_heads(heads) or max(len(node), len(epoch)) > MAX_NAME:
                raise ValueError("no heads")
            signals = _signals(fields["signals"]) if "signals" in fields else ()
        except (LookupError, TypeError, ValueError, AttributeError) as error:  # of another version
            raise Unreadable(repr(error)) from error
        return Message(node, epoch, heads, fields.get("all") is True, entries, signals)

    def _signed(self, rest: bytes) -> bytes:
        return b"%b %b\n%b" % (VERSION, self._sign(rest), rest)

    def _verified(self, payload: bytes) -> bytes:
        """Return what is behind the signature. Raises Unreadable."""
        if len(payload) > MAX_MESSAGE:
            raise Unreadable("too long")
        first, _, rest = payload.partition(b"\n")
        version, _, signature = first.partition(b" ")
        if version != VERSION:
            raise Unreadable("another format")
        if not hmac.compare_digest(signature, self._sign(rest)):
            raise Unreadable("another site")
        return rest

    def _sign(self, rest: bytes) -> bytes:
        return blake2b(rest, key=self._key, digest_size=16).hexdigest().encode()


def _are_heads(heads: object) -> bool:
    if not isinstance(heads, dict) or len(heads) > MAX_HEADS:
        return False
    return all(len(topic) <= MAX_NAME and type(seq) is int and 0 < seq < MAX_SEQ for topic, seq in heads.items())


def _signals(found: object) -> list[tuple[str, Mapping[str, Any], str | None]]:
    """Return the signals of a message. Raises ValueError."""
    if not isinstance(found, list) or len(found) > MAX_SIGNALS:
        raise ValueError("no signals")
    for each in found:
        if not isinstance(each, list) or len(each) != 3:
            raise ValueError("no signal")
        kind, content, topic = each
        if not isinstance(kind, str) or not isinstance(content, dict) or not isinstance(topic, str | None):
            raise ValueError("no signal")
    return [(kind, content, topic) for kind, content, topic in found]
