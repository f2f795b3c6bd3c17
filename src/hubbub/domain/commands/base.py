"""What every command is, and the types its fields are made of."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from hubbub.domain.model import Actor, Frozen, Wire
from hubbub.domain.text import MAX_ID

Id = Annotated[int, Field(ge=1, le=MAX_ID)]
Seq = Annotated[int, Field(ge=0, le=MAX_ID)]
MessageSeq = Annotated[int, Field(ge=1, le=MAX_ID)]
"""The seq a message is known by in its room."""
Topic = Annotated[str, Field(max_length=64, pattern=r"^(room:[1-9][0-9]{0,15}|user:[1-9][0-9]{0,15}|site)$")]


class Command(Frozen):
    """Something that can be asked; `kind` names it in logs and metrics, `answer` is what a client is told."""

    kind: ClassVar[str]
    answer: ClassVar[type[Wire] | None] = None
    posts: ClassVar[bool] = False
    """Whether it says something to a room, which has a rate limit of its own."""
    creates_room: ClassVar[bool] = False
    """Whether it makes a room, which has one besides that for everything else."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = str(cls.__annotations__["type"].__args__[0]) if "type" in cls.__annotations__ else cls.__name__

    def topics(self, actor: Actor) -> tuple[str, ...]:
        """The topics this command will write; locked before any handler reads."""
        raise NotImplementedError

    def size(self) -> int:
        """About how many bytes it keeps in the journal's queue."""
        return 256
