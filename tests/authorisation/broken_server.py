"""`hubbub` in which every user has staff rank in member management.

The matrix must detect it. Run as `python -m tests.authorisation.broken_server serve …`.
"""

from hubbub.cli import main
from hubbub.domain import rules

if __name__ == "__main__":
    rules.rank = lambda actor, room: rules.STAFF_RANK
    main()
