"""Commands with an optional key: the same key gives the first answer again."""

from collections.abc import Mapping
from hmac import compare_digest

from hubbub.domain.commands import Command
from hubbub.domain.errors import Conflict
from hubbub.domain.model import Actor
from hubbub.storage import idempotency_keys
from hubbub.storage.transaction import Transaction


class OnceByKey:
    """The answer to a command that is executed once for each key.

    `digest` stands for what the command asks for. Raises Conflict if the key was used for something
    else.
    """

    def __init__(self, tx: Transaction, actor: Actor, command: Command, key: str | None, digest: str) -> None:
        self._tx, self._actor, self._kind, self._key, self._digest = tx, actor, command.kind, key, digest
        stored = None if key is None else idempotency_keys.find(tx.connection, actor.id, command.kind, key)
        if stored is not None and not compare_digest(stored.digest, digest):
            raise Conflict("This key was already used for a different command.")
        self.first_answer = None if stored is None else stored.answer
        """The answer to the first command, as JSON. None for a new key and without a key."""

    def keep(self, answer: Mapping[str, object]) -> None:
        """Store the answer under the key, if there is one."""
        if self._key is not None:
            idempotency_keys.add(self._tx, self._actor.id, self._kind, self._key, self._digest, answer)
