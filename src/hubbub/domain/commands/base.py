"""The base class of all commands, and the types of their fields."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from hubbub.domain.errors import HubbubError, NotFound
from hubbub.domain.model import Actor, Frozen, Wire
from hubbub.domain.text import MAX_ID

Id = Annotated[int, Field(ge=1, le=MAX_ID)]
Seq = Annotated[int, Field(ge=0, le=MAX_ID)]
MessageSeq = Annotated[int, Field(ge=1, le=MAX_ID)]
"""The seq that identifies a message in its room."""
Topic = Annotated[str, Field(max_length=64, pattern=r"^(room:[1-9][0-9]{0,15}|user:[1-9][0-9]{0,15}|site)$")]


class Command(Frozen):
    """A request to change something.

    `kind` names the command in logs and metrics. `answer` is the model of the answer to the client.
    """

    kind: ClassVar[str]
    answer: ClassVar[type[Wire] | None] = None
    rest: ClassVar[tuple[str, str] | None] = None
    """The method and the path of the REST route. Path parameters are fields of the command; the
    other fields are the body of the request."""
    errors: ClassVar[tuple[type[HubbubError], ...]] = (NotFound,)
    """The errors the handler may raise besides BadRequest and Forbidden, for the documentation."""
    creates: ClassVar[bool] = False
    """Whether the command creates a resource with an id of its own. REST then answers 201."""
    posts: ClassVar[bool] = False
    """Whether the command posts text to a room. Posting has its own rate limit."""
    creates_room: ClassVar[bool] = False
    """Whether the command creates a room. That has a rate limit besides the one for all commands."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = str(cls.__annotations__["type"].__args__[0]) if "type" in cls.__annotations__ else cls.__name__

    def topics(self, actor: Actor) -> tuple[str, ...]:
        """Return the topics this command will write.

        They are locked before a handler reads.
        """
        raise NotImplementedError

    def size(self) -> int:
        """Return roughly how many bytes the command takes up in the journal's queue."""
        return 256
