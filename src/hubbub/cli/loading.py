"""Faster imports at start."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Turn the garbage collector off during imports, which create no garbage.

    Saves a fifth of their time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
