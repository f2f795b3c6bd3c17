"""`hubbub` that kills itself at a step of indexing, for tests.

DIES names the step, whether before or after it, and at which call: `pack after 1`. With BROKEN the
position is stored in a transaction of its own. Run as `python -m tests.search.dying_server serve …`.
"""

import os
import signal
from collections.abc import Callable
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


def forget_positions() -> None:
    """Store the effect, but not the position."""
    vars(handlers)["advance_all"] = lambda tx, moves: ["moved" for _ in moves]
    vars(search_index)["indexed"] = lambda tx, ids: set()


if __name__ == "__main__":
    shrink_blocks()
    if os.environ.get("BROKEN"):
        forget_positions()
    if os.environ.get("DIES"):
        arm(os.environ["DIES"])
    main()
