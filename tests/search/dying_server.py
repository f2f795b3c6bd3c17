"""`hubbub` that kills itself at a step of indexing, for tests.

DIES names the step, whether before or after it, and at which call: `pack after 1`. With BROKEN it
stores positions without their effect. Run as `python -m tests.search.dying_server serve …`.
"""

import os
import signal
from collections.abc import Callable
from itertools import count
from typing import Any

from hubbub.cli import main
from hubbub.domain.search import blocks
from hubbub.engine.journal import Journal
from hubbub.features import search_index as handlers
from hubbub.storage import search_index

SMALL_BLOCK = 32

STEPS: dict[str, tuple[Any, str]] = {
    "advance": (handlers, "advance_all"),
    "lock": (search_index, "lock"),
    "add_recent": (search_index, "add_recent"),
    "pack": (search_index, "pack"),
    "add_block": (search_index, "_add_block"),
    "add_chunks": (search_index, "_add_chunks"),
    "change": (search_index, "change"),
    "clear": (search_index, "clear"),
    "remove": (search_index, "remove"),
    "commit": (Journal, "_commit"),
}


def dying(function: Callable[..., Any], *, before: bool, calls: int) -> Callable[..., Any]:
    """Wrap a function that kills the process at one of its calls."""
    made = 0

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal made
        made += 1
        if made == calls and before:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if made == calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return call


def arm(step: str) -> None:
    name, when, calls = step.split()
    owner, attribute = STEPS[name]
    setattr(owner, attribute, dying(getattr(owner, attribute), before=when == "before", calls=int(calls)))


def shrink_blocks() -> None:
    for module in (blocks, search_index, handlers):
        vars(module)["BLOCK"] = SMALL_BLOCK


def forget_effects() -> None:
    """Store the position of every second batch without its effect."""
    batches = count()
    add = search_index.add_recent

    def forgetful(tx: Any, new: Any) -> None:
        if next(batches) % 2:
            add(tx, new)

    search_index.add_recent = forgetful


if __name__ == "__main__":
    shrink_blocks()
    if os.environ.get("BROKEN"):
        forget_effects()
    if os.environ.get("DIES"):
        arm(os.environ["DIES"])
    main()
