"""The routes of the commands of clients and of staff, made from the commands themselves.

`Command.rest` names the method and the path. The command's docstring, fields, example, answer and
errors make the rest, so that a new command needs no code here. The routes of a module have its name
as their tag in the documentation.
"""

import re
from collections.abc import Iterator
from inspect import Parameter, Signature
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Path
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError, create_model
from pydantic.fields import FieldInfo

from hubbub.domain.commands import AnyStaffCommand, AnyWireCommand, Command
from hubbub.domain.commands.examples import shown
from hubbub.domain.model import Frozen
from hubbub.gateways.http.auth import Active, Caller, Founder, Running, Sender
from hubbub.gateways.http.errors import STATUS, Responses, refusals
from hubbub.gateways.http.strict_json import StrictRoute, reply

COMMANDS: tuple[type[Command], ...] = get_args(AnyWireCommand) + get_args(AnyStaffCommand)
PATH_DESCRIPTIONS = {
    "room": "The room's id.",
    "emoji": "Any single Unicode emoji, percent-encoded.",
    "topic": "The entry's topic.",
    "seq": "The entry's seq.",
}


def create_router() -> APIRouter:
    """Return the router with one route for each command."""
    router = APIRouter(route_class=StrictRoute)
    for command in COMMANDS:
        _add(router, command)
    return router


def operation_id(command: type[Command]) -> str:
    """Return the class name in snake case: `send_message`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", command.__name__).lower()


def _add(router: APIRouter, command: type[Command]) -> None:
    assert command.rest is not None, f"{command.__name__} needs a route"
    method, path = command.rest
    in_path = re.findall(r"{(\w+)}", path)
    body = _body(command, in_path)
    router.add_api_route(
        path,
        _endpoint(command, in_path, body),
        methods=[method],
        name=operation_id(command),
        description=" ".join((command.__doc__ or "").split()),
        tags=[command.__module__.rpartition(".")[2]],
        status_code=201 if command.creates else 200,
        response_model=command.answer,
        responses=_refusals(command, has_body=body is not None),
    )


def _body(command: type[Command], in_path: list[str]) -> type[BaseModel] | None:
    """Return the model of the request's body: the fields that are not in the path; None if there are none."""
    fields: dict[str, Any] = {
        name: (field.annotation, field)
        for name, field in command.model_fields.items()
        if name != "type" and name not in in_path
    }
    if not fields:
        return None
    doc = f"The body of `{operation_id(command)}`."
    return create_model(f"{command.__name__}Body", __base__=Frozen, __doc__=doc, **fields)


def _endpoint(command: type[Command], in_path: list[str], body: type[BaseModel] | None) -> Any:
    """Return a function with the parameters that FastAPI fills in: path, body, caller, services."""

    async def endpoint(caller: Caller, services: Running, **given: Any) -> Response:
        sent = given.pop("sent", None)
        fields = {} if sent is None else sent.model_dump(by_alias=True)
        try:
            asked = command.model_validate({**fields, **given})
        except ValidationError as error:  # a rule over several fields, which the body's model does not have
            problems = error.errors(include_url=False, include_input=False)
            raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in problems]) from None
        receipt = await services.journal.submit(asked, caller.actor)
        return reply(receipt.answer, 201 if command.creates else 200)

    annotations: dict[str, Any] = {
        **dict(_path_parameters(command, in_path)),
        **({} if body is None else {"sent": body}),
        "caller": Founder if command.creates_room else Sender if command.posts else Active,
        "services": Running,
    }
    parameters = [Parameter(name, Parameter.KEYWORD_ONLY, annotation=of) for name, of in annotations.items()]
    vars(endpoint)["__signature__"] = Signature(parameters)
    return endpoint


def _path_parameters(command: type[Command], in_path: list[str]) -> Iterator[tuple[str, Any]]:
    assert command.example is not None, f"{command.__name__} needs an example"
    example = shown(command, command.example)
    for name in in_path:
        field: FieldInfo = command.model_fields[name]
        described = PATH_DESCRIPTIONS.get(name, field.description)
        where = Path(description=described, examples=[example[name]])
        yield name, Annotated[(field.annotation, *field.metadata, where)]


def _refusals(command: type[Command], *, has_body: bool) -> Responses:
    """Return the documented errors. All commands need a caller and count against a rate limit."""
    own = {STATUS[error.code] for error in command.errors}
    return refusals(400, 401, 403, 429, *own, *([413] if has_body else []))


router = create_router()
