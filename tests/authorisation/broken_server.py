"""`hubbub` in which everybody counts as the site's staff in a room's people's matters: what the matrix must find out.

Run as `python -m tests.authorisation.broken_server serve …`.
"""

from hubbub.cli import main
from hubbub.domain import rules

if __name__ == "__main__":
    rules.rank = lambda actor, room: rules.STAFF_RANK
    main()
