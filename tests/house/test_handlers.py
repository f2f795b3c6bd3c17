"""What holds for the handler of every command."""

from typing import Any, get_args, get_origin, get_type_hints

import pytest

from hubbub.domain.commands import Command, Requires
from hubbub.domain.errors import HubbubError
from hubbub.features.shared.guard import CHECKS
from hubbub.features.shared.handlers import FUNCTIONS


def test_every_precondition_has_a_check() -> None:
    assert set(CHECKS) == set(Requires)


@pytest.mark.parametrize("kind", FUNCTIONS, ids=lambda kind: kind.kind)
def test_the_handler_of_a_command_returns_its_answer(kind: type[Command]) -> None:
    returned: Any = get_type_hints(FUNCTIONS[kind])["return"]
    if get_origin(returned) is list:
        returned, error = get_args(get_args(returned)[0])
        assert error is HubbubError
    assert returned is kind.answer


@pytest.mark.parametrize("kind", FUNCTIONS, ids=lambda kind: kind.kind)
def test_a_command_that_users_send_requires_an_open_account_first(kind: type[Command]) -> None:
    if "type" in kind.model_fields:
        assert kind.requires[0] is Requires.OPEN_ACCOUNT
