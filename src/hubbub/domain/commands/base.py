"""The base class of all commands, their preconditions, and the types of their fields."""

from enum import Enum, auto
from typing import Annotated, Any, ClassVar, Generic

from pydantic import Field
from typing_extensions import TypeVar

from hubbub.domain.commands.examples import Example
from hubbub.domain.errors import HubbubError, NotFound
from hubbub.domain.model import Actor, Frozen
from hubbub.domain.text import MAX_ID

Id = Annotated[int, Field(ge=1, le=MAX_ID)]
Seq = Annotated[int, Field(ge=0, le=MAX_ID)]
MessageSeq = Annotated[int, Field(ge=1, le=MAX_ID)]
"""The seq that identifies a message in its room."""
Topic = Annotated[str, Field(max_length=64, pattern=r"^(room:[1-9][0-9]{0,15}|user:[1-9][0-9]{0,15}|site)$")]


A = TypeVar("A", default=Any)
"""The answer of a command."""


class Requires(Enum):
    """A precondition of a command. One guard checks those of all commands, in their order."""

    SYSTEM = auto()
    """The server or its command line acts. Others get Forbidden."""
    STAFF = auto()
    """The actor is one of the site's owners or admins. Else Forbidden."""
    OPEN_ACCOUNT = auto()
    """The actor's account was not closed since the command was authenticated. Else Forbidden."""
    ROOM = auto()
    """The actor may see the room: it is public, or they are a member. Else NotFound. The system sees
    every room."""
    MEMBER = auto()
    """The actor is a member of the room. Else NotFound."""
    MESSAGE = auto()
    """The actor is a member who may read the message. Else NotFound."""
    NOT_ARCHIVED = auto()
    """The room is not archived. Else Forbidden."""
    PINS = auto()
    """The actor may pin messages in the room. Else Forbidden."""


class Command(Frozen, Generic[A]):
    """A request to change something, which is answered with an `A`.

    `kind` names the command in logs and metrics.
    """

    kind: ClassVar[str]
    answer: ClassVar[Any]
    """The type of the answer."""
    requires: ClassVar[tuple[Requires, ...]] = (Requires.OPEN_ACCOUNT,)
    """The preconditions, in the order in which they are checked."""
    rest: ClassVar[tuple[str, str] | None] = None
    """The method and the path of the REST route. Path parameters are fields of the command; the
    other fields are the body of the request."""
    errors: ClassVar[tuple[type[HubbubError], ...]] = (NotFound,)
    """The errors the handler may raise besides BadRequest and Forbidden, for the documentation."""
    creates: ClassVar[bool] = False
    """Whether the command creates a resource with an id of its own. REST then answers 201."""
    example: ClassVar[Example | None] = None
    """A valid command. Every command that clients may send has one."""
    posts: ClassVar[bool] = False
    """Whether the command posts text to a room. Posting has its own rate limit."""
    background: ClassVar[bool] = False
    """Whether no user waits for the command. The journal then runs it after the users' commands, and
    few of them in one batch."""
    creates_room: ClassVar[bool] = False
    """Whether the command creates a room. That has a rate limit besides the one for all commands."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = str(cls.__annotations__["type"].__args__[0]) if "type" in cls.__annotations__ else cls.__name__

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        arguments = cls.__pydantic_generic_metadata__["args"]
        if arguments:  # the class is `Command[Position]`, say, and has no docstring of its own
            (cls.answer,) = arguments

    def topics(self, actor: Actor) -> tuple[str, ...]:
        """Return the topics this command will write.

        They are locked before a handler reads.
        """
        raise NotImplementedError

    def size(self) -> int:
        """Return roughly how many bytes the command takes up in the journal's queue."""
        return 256
