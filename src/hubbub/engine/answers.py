"""Answers over HTTP that clients have not read yet, bounded in bytes for each user.

A client that asks for pages and does not read them makes the server hold them, on as many
connections as it may open. A small answer fits into the buffers of its connection and is not
counted.
"""

MAX_UNREAD = 2 * 2**20
"""Bytes of the large answers that one user may leave unread: eight full pages."""
SMALL_ANSWER = 16 * 1024
"""Bytes up to which an answer is not counted."""


class UnreadAnswers:
    """The bytes of large answers that are being sent, by user.

    Must be used on the event loop's thread only.
    """

    def __init__(self) -> None:
        self.refused = 0
        self._bytes: dict[int, int] = {}

    def __len__(self) -> int:
        """Return the number of users to whom large answers are being sent."""
        return len(self._bytes)

    def has_room(self, user: int) -> bool:
        """Return whether the user may be sent a further large answer."""
        return self._bytes.get(user, 0) < MAX_UNREAD

    def hold(self, user: int, size: int) -> bool:
        """Count an answer of `size` bytes, until `release`. Return False if too much is unread."""
        if not self.has_room(user):
            self.refused += 1
            return False
        self._bytes[user] = self._bytes.get(user, 0) + size
        return True

    def release(self, user: int, size: int) -> None:
        """Note that an answer was sent, or that its client has left."""
        left = self._bytes[user] - size
        if left:
            self._bytes[user] = left
        else:
            del self._bytes[user]
