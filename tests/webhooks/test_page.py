"""The receiver in docs/webhooks.md, and the list of events there, are right."""

import os
import re
import sys
from asyncio import create_subprocess_exec, subprocess, timeout
from pathlib import Path
from typing import get_args

import httpx
import pytest

from hubbub.domain.events import CLIENT_EVENTS, RoomEvent
from hubbub.domain.model.webhooks import WEBHOOK_EVENTS, WebhookEvent
from tests.support import documents
from tests.support.ports import free_port
from tests.support.waiting import eventually_async
from tests.webhooks.receiver import Receiver
from tests.webhooks.site import PATIENCE, Site, post

PAGE = "webhooks.md"


async def test_the_receiver_on_the_page_verifies_what_the_server_sends_and_refuses_what_others_send(
    small: Site, tmp_path: Path
) -> None:
    documents.write(PAGE, tmp_path)
    room, port = await small.room("Tea"), free_port()
    url = f"http://127.0.0.1:{port}/"
    hook = await small.webhook(url, room)
    process = await create_subprocess_exec(
        sys.executable, "receiver.py", cwd=tmp_path, stdout=subprocess.PIPE,
        env={**os.environ, "WEBHOOK_SECRET": hook["secret"], "PORT": str(port)},
    )  # fmt: skip
    try:

        async def answers() -> bool:
            return bool((await post(small.alice, f"/api/webhooks/{hook['id']}/test"))["status"] == 204)

        await eventually_async(answers, PATIENCE, "the receiver runs", 0.1)
        await small.say(room, "hello")
        assert process.stdout is not None
        async with timeout(PATIENCE):
            lines = [(await process.stdout.readline()).decode().split() for _ in range(2)]
        assert lines == [["webhook.test", "None"], ["message.sent", "hello"]]
        forged = {"webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.post(url, content=b"{}", headers=forged)).status_code == 401
    finally:
        process.kill()
        await process.wait()


def test_a_webhook_can_get_every_event_of_a_room() -> None:
    of_rooms = {event.type for event in CLIENT_EVENTS if issubclass(event, RoomEvent)}
    assert set(WEBHOOK_EVENTS) == of_rooms
    text = (documents.DOCS / PAGE).read_text()
    named = re.search(r"^`events` are any of (.*?)\. They", text, re.MULTILINE | re.DOTALL)
    assert named is not None
    assert re.findall(r"`([a-z_.]+)`", named[1]) == list(get_args(WebhookEvent))


@pytest.mark.parametrize("operation", ["create_webhook", "test_webhook"])
async def test_the_page_names_the_routes(small: Site, there: Receiver, operation: str) -> None:
    paths = {
        each["operationId"]: path
        for path, methods in small.here.app.openapi()["paths"].items()
        for each in methods.values()
    }
    assert paths[operation] in (documents.DOCS / PAGE).read_text()
