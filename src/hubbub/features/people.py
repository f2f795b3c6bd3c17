"""People: find somebody by the beginning of his name, to write to him or to bring him into a room."""

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.model import Actor, Person
from hubbub.storage import accounts


def search(connection: Connection, actor: Actor, beginning: str, after: int, limit: int) -> dict[str, object]:
    """A page of those who can be written to, by id; names that look alike begin alike. Raises Forbidden."""
    rules.may_find_people(actor)
    found = accounts.search(connection, beginning, after, limit + 1)
    people = [Person(id=account.id, name=account.name) for account in found[:limit]]
    return {"people": [person.model_dump() for person in people], "more": len(found) > limit}
