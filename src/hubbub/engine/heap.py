"""The heap of the C library."""

import ctypes
from contextlib import suppress

M_TRIM_THRESHOLD = -1
"""A parameter of mallopt(3)."""
KEPT = 40 * 2**20
"""Free memory that glibc keeps at the end of a heap. It would set this itself: twice the largest
block that was freed."""


def trim_thread() -> None:
    """Return the free memory of this thread's heap to the system.

    Each thread has a heap of its own in glibc, which keeps large blocks that were freed. Other C
    libraries return them without being asked.
    """
    # malloc_trim(3) leaves the end of such heaps as it is. Freeing a block of 64 KiB or more looks
    # at the threshold.
    with suppress(AttributeError, OSError, TypeError):  # TypeError: on Windows, libraries have names
        libc = ctypes.CDLL(None)
        libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        libc.free.argtypes = [ctypes.c_void_p]
        libc.mallopt(M_TRIM_THRESHOLD, 2**20)
        libc.free(libc.malloc(2**17))
        libc.mallopt(M_TRIM_THRESHOLD, KEPT)
