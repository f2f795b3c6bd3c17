"""Close codes and reasons that an application may send (RFC 6455, section 7.4)."""

CODES = {1000, 1001, 1003, *range(1007, 1015), *range(3000, 5000)}
MAX_REASON = 123
"""Bytes of UTF-8."""


def check_close(code: int, reason: str) -> None:
    """Raise TypeError or ValueError for what a Close frame cannot have."""
    if not isinstance(code, int) or isinstance(code, bool) or not isinstance(reason, str):
        raise TypeError("A close code is an int, and a reason is a str.")
    if code not in CODES:
        raise ValueError(f"{code} is no close code: use 1000, 1001, 1003, 1007 to 1014, or 3000 to 4999.")
    if len(reason) > MAX_REASON or len(reason.encode()) > MAX_REASON:
        raise ValueError(f"The reason of a close has at most {MAX_REASON} bytes of UTF-8.")
