"""Lists of users, and the search for them by any part of their names."""

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.model import Actor, Person
from hubbub.storage import accounts


def listing(connection: Connection, actor: Actor, after: int, limit: int) -> dict[str, object]:
    """Return a page of active users by id.

    Raises Forbidden.
    """
    rules.may_find_people(actor)
    return _page(accounts.directory(connection, after, limit + 1), limit)


def search(connection: Connection, actor: Actor, text: str, limit: int) -> dict[str, object]:
    """Return active users by any part of their names, the best first.

    Raises Forbidden.
    """
    rules.may_find_people(actor)
    return _page(accounts.search(connection, text, limit + 1), limit)


def _page(found: list[Person], limit: int) -> dict[str, object]:
    return {"users": [person.model_dump() for person in found[:limit]], "more": len(found) > limit}
