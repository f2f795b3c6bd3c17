"""The search for users by the beginning of their name."""

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.model import Actor, Person
from hubbub.storage import accounts


def search(connection: Connection, actor: Actor, beginning: str, after: int, limit: int) -> dict[str, object]:
    """Return a page of active users by id whose name begins with `beginning`.

    Raises Forbidden.

    Names are compared by skeleton, so that letters which look alike match.
    """
    rules.may_find_people(actor)
    found = accounts.search(connection, beginning, after, limit + 1)
    users = [Person(id=account.id, name=account.name) for account in found[:limit]]
    return {"users": [user.model_dump() for user in users], "more": len(found) > limit}
