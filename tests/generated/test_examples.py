"""docs/protocol.md has an example of every command, and each is a frame that the contract allows."""

import json
import re

import pytest
from scripts.contract.examples import Exchange, exchange
from scripts.contract.words import ASKED

from hubbub.domain.events import CLIENT_EVENTS
from tests.generated.contract import ROOT, check, check_answer

PAGE = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
KINDS = [str(model.model_fields["type"].default) for model in ASKED]
EVENTS = [event.type for event in CLIENT_EVENTS if not event.type.startswith(("session.", "site."))]
"""No fixture records the events of sessions and of the settings of the site: their commands are no frames."""


def frames(page: str, heading: str) -> list[dict[str, object]]:
    """Return the frames of the example below a heading."""
    section = page.partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
    found = re.search(r"^```text\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert found is not None, f"no example of {heading}"
    return [json.loads(text) for text in re.split(r"^[→←] ", found[1], flags=re.MULTILINE) if text.strip()]


def check_exchange(page: str, kind: str) -> None:
    request, answer = frames(page, kind)
    assert request["type"] == kind
    check("ClientFrame", request)
    assert answer["re"] == request["id"]
    check_answer(kind, answer["ok"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_command_has_a_valid_request_and_answer(kind: str) -> None:
    check_exchange(PAGE, kind)


@pytest.mark.parametrize("kind", EVENTS)
def test_every_event_has_a_valid_example(kind: str) -> None:
    (event,) = frames(PAGE, kind)
    assert event["type"] == kind
    check("ServerFrame", event)


@pytest.mark.parametrize(
    ("request_", "answer"),
    [({"type": "typing", "rooms": 1}, {}), ({"type": "typing", "room": 1}, {"seq": 1})],
    ids=["wrong request", "wrong answer"],
)
def test_an_example_that_breaks_the_contract_is_found(request_: dict[str, object], answer: dict[str, object]) -> None:
    page = f"\n### typing\n\n{exchange(Exchange(request_, answer))}\n"
    with pytest.raises(AssertionError):
        check_exchange(page, "typing")


def test_a_long_frame_is_wrapped_and_unchanged() -> None:
    long = {"type": "room.update", "topic": 'a,"b": ' * 20, "name": "x,", "description": "y" * 90}
    page = f"\n### long\n\n{exchange(Exchange(long, {}))}\n"
    assert frames(page, "long")[0] == {"id": 1, **long}
