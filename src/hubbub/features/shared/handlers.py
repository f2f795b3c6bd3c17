"""The registry of handlers.

Every handler has one signature, over a run: it gets several commands of one kind and returns the
result of each. A feature writes a function over the whole run where many commands share statements
(`handles_run`), or a function for a single command (`handles`), which is applied to one command
after the other. The guard comes before both.

A function raises before it writes. A result is an answer, an error, or NeedsTopics if the command
must be run again with more topics locked.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hubbub.domain.commands import Command
from hubbub.domain.errors import DirtyRefusal, HubbubError, NeedsTopics
from hubbub.domain.model import Actor
from hubbub.features.shared.guard import Request, admit
from hubbub.storage.transaction import Transaction

C = TypeVar("C", bound=Command)
A = TypeVar("A")

Run = Sequence[tuple[Command, Actor]]
Results = list[Any]
"""Answers, instances of HubbubError and of NeedsTopics, in the order of the run."""
Handler = Callable[[Run, Transaction], Results]
One = Callable[[Request[C], Transaction], A]
Many = Callable[[Sequence[Request[C]], Transaction], Sequence[A | HubbubError]]

HANDLERS: dict[type[Command], Handler] = {}
"""The handler of each command. The features fill it when they are imported."""
FUNCTIONS: dict[type[Command], Callable[..., Any]] = {}
"""The function that each handler was made of."""


def handles(kind: type[C]) -> Callable[[One[C, A]], One[C, A]]:
    """Register a function that handles a single command of this kind."""

    def register(function: One[C, A]) -> One[C, A]:
        _register(kind, function, lambda run, tx: [_one(function, command, actor, tx) for command, actor in run])
        return function

    return register


def handles_run(kind: type[C]) -> Callable[[Many[C, A]], Many[C, A]]:
    """Register a function that handles a run of commands of this kind."""

    def register(function: Many[C, A]) -> Many[C, A]:
        _register(kind, function, lambda run, tx: _many(function, run, tx))
        return function

    return register


def _register(kind: type[Command], function: Callable[..., Any], handler: Handler) -> None:
    assert kind not in HANDLERS, f"{kind.__name__} has two handlers"
    HANDLERS[kind] = handler
    FUNCTIONS[kind] = function


def _one(function: One[Any, Any], command: Command, actor: Actor, tx: Transaction) -> Any:
    """Return the result of one command. Raises DirtyRefusal if the function wrote before it raised."""
    writes = tx.writes
    try:
        (admitted,) = admit([(command, actor)], tx)
        return function(admitted, tx) if isinstance(admitted, Request) else admitted
    except HubbubError as error:
        if tx.writes != writes:
            raise DirtyRefusal from error
        return error
    except NeedsTopics as needs:
        if tx.writes != writes:
            raise
        return needs


def _many(function: Many[Any, Any], run: Run, tx: Transaction) -> Results:
    """Return the results of a run. The function gets only the requests that the guard admits."""
    results = admit(run, tx)
    admitted = [index for index, result in enumerate(results) if isinstance(result, Request)]
    if admitted:
        found = function([results[index] for index in admitted], tx)
        for index, result in zip(admitted, found, strict=True):
            results[index] = result
    return results
