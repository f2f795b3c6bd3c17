"""Receivers that are slow, endless, huge or broken.

CVE-2022-31052 (Synapse): the size of a fetched page was not bounded. CVE-2026-4915 (Mattermost): an
unexpected answer of a webhook's receiver ended the server.
"""

import asyncio
import gzip
import random
import resource

import pytest

from hubbub.outbound import OutboundClient, RequestFailed, Response, ResponseLimits
from tests.outbound.receiver import OK, Behaviour, Receiver, answering, receiving, silent, streaming
from tests.support.depth import rounds

BRIEF = ResponseLimits(seconds=1.0)
PATIENCE = 60.0
"""Seconds: the machine may stand still. A client without a deadline waits for ever."""


async def get(client: OutboundClient, receiver: Receiver, limits: ResponseLimits | None = None) -> Response:
    async with asyncio.timeout(PATIENCE):
        return await client.request("POST", receiver.url, headers={}, body=b"{}", limits=limits)


@pytest.mark.parametrize(
    "behave",
    [
        silent,
        streaming(b"", b"H", 0.2),
        streaming(b"HTTP/1.1 200 OK\r\n", b"a", 0.2),
        streaming(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n", 0.2),
        streaming(b"", b"HTTP/1.1 102 Processing\r\n\r\n", 0.2),
        streaming(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x", 0.2),
        streaming(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 0.2),
        streaming(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.2),
        streaming(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n", 0.2),
    ],
    ids=["silence", "status line", "header", "headers", "interim answers", "body", "body until close", "chunks",
         "trailers"],
)  # fmt: skip
async def test_an_answer_that_arrives_byte_by_byte_ends_at_the_deadline(
    local: OutboundClient, behave: Behaviour
) -> None:
    async with receiving(behave) as receiver:
        with pytest.raises(RequestFailed, match=r"127\.0\.0\.1 did not answer within 1 seconds\."):
            await get(local, receiver, BRIEF)
        await receiver.until_closed()


async def test_a_receiver_that_does_not_read_the_request_ends_at_the_deadline(local: OutboundClient) -> None:
    stop = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stop.wait()

    async with receiving(wait, reads=False) as receiver:
        with pytest.raises(RequestFailed, match="within 1 seconds"):
            await local.request("POST", receiver.url, headers={}, body=bytes(64 * 2**20), limits=BRIEF)
        stop.set()


@pytest.mark.parametrize(
    ("behave", "says"),
    [
        (streaming(b"HTTP/1.1 200 OK\r\na: ", b"a" * 1000), "a head that is larger than 16384 bytes"),
        (streaming(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 100), "a head that is larger than 16384 bytes"),
        (streaming(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10), "a head that is larger than 16384 bytes"),
        (streaming(b"", b"x" * 1000), "not HTTP|head that is larger"),
        (
            streaming(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 999 + b"\r\nx\r\n"),
            "small",
        ),
        (streaming(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n" * 99), "not HTTP|small"),
        (streaming(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 1000), "not HTTP"),
        (answering(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 101 + b"\r\n"), "more than 100 headers"),
    ],
    ids=[
        "header",
        "headers",
        "interim answers",
        "garbage",
        "chunk extensions",
        "trailers",
        "chunk size",
        "many headers",
    ],
)
async def test_an_endless_part_of_an_answer_is_cut_off(local: OutboundClient, behave: Behaviour, says: str) -> None:
    async with receiving(behave) as receiver:
        with pytest.raises(RequestFailed, match=says):
            await get(local, receiver, ResponseLimits(seconds=PATIENCE))
        await receiver.until_closed()


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", b"x" * 2**16),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 2**16),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 2**16 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1000),
    ],
    ids=["1 GB", "endless", "chunks", "chunks of one byte"],
)
async def test_of_a_huge_body_the_first_bytes_are_kept_and_the_rest_is_never_read(
    local: OutboundClient, head: bytes, part: bytes
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with receiving(streaming(head, part)) as receiver:
        answer = await get(local, receiver, ResponseLimits(seconds=PATIENCE))
        assert (answer.status, answer.body) == (200, b"x" * 65_536)
        await receiver.until_closed()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536])
async def test_a_body_within_the_limit_is_kept_in_full(local: OutboundClient, size: int) -> None:
    async with receiving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)) as receiver:
        assert (await get(local, receiver)).body == b"x" * size


async def test_a_compressed_body_is_not_decompressed(local: OutboundClient) -> None:
    bomb = gzip.compress(bytes(32 * 2**20))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with receiving(answering(head + bomb)) as receiver:
        answer = await get(local, receiver)
        assert (answer.body, answer.headers["content-encoding"]) == (bomb[: 64 * 1024], "gzip")
        assert b"accept-encoding: identity\r\n" in receiver.requests[0]


OK_HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN = [
    b"", b"\r\n\r\n", b"\n", b"HTTP/1.1", b"HTTP/1.1 200", b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK\r\n", b"\x00" * 100,
    b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail ESMTP\r\n", b"null", b"{}", b"<html></html>", b"GET / HTTP/1.1\r\n\r\n",
    b"HTTP/1.1 abc OK\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/9.9 200 OK\r\n\r\n",
    b"HTTP/1.1 -1 OK\r\n\r\n", b"ICY 200 OK\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
    CHUNKED + b"xyz\r\n", CHUNKED + b"5\r\nab",
    CHUNKED + b"2\r\nabcd\r\n", CHUNKED + b"",
    b"HTTP/1.1 200 OK\r\n : x\r\n\r\n", b"HTTP/1.1 200 OK\r\na\r\n\r\n", b"HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
    b"HTTP/1.1 200 OK\r\na: b\x00c\r\nContent-Length: 0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"HTTP/2.0 200 OK\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bytes(range(256)) * 4,
]  # fmt: skip


@pytest.mark.parametrize("raw", BROKEN, ids=ascii)
async def test_a_broken_answer_fails_with_a_sentence(local: OutboundClient, raw: bytes) -> None:
    async with receiving(answering(raw)) as receiver:
        with pytest.raises(RequestFailed) as failed:
            await get(local, receiver)
        assert str(failed.value).startswith("127.0.0.1 ")
        assert str(failed.value).endswith(".")
        assert str(failed.value).isprintable()
        await receiver.until_closed()


async def test_a_crafted_answer_is_an_answer_or_a_failure_and_the_client_goes_on(local: OutboundClient) -> None:
    chance = random.Random(7)
    good = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )
    answers: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers[-1])
        await writer.drain()

    seen = set()
    async with receiving(behave) as receiver:
        for _ in range(rounds("crafted answers", short=300, long=20_000)):
            raw = bytearray(good)
            for _ in range(chance.randint(1, 6)):
                place = chance.randrange(len(raw))
                if chance.random() < 0.5:
                    raw[place] = chance.choice([0, 10, 13, 32, 48, 57, 58, 59, 127, 128, 255, chance.randrange(256)])
                else:
                    del raw[place : place + chance.randint(1, 10)]
            answers.append(bytes(raw))
            try:
                answer = await get(local, receiver)
                assert 200 <= answer.status <= 999
                seen.add("answer")
            except RequestFailed:
                seen.add("failure")
        assert seen == {"answer", "failure"}
        await receiver.until_closed()
    async with receiving(OK) as receiver:
        assert (await get(local, receiver)).body == b"ok"


async def test_an_answer_before_the_request_was_read_counts(local: OutboundClient) -> None:
    """A server that refuses a large request closes its side while the client still writes."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        writer.write_eof()
        while await reader.read(2**16):
            pass

    async with receiving(refuse, reads=False) as receiver:
        answer = await local.request("POST", receiver.url, headers={}, body=bytes(2**20))
        assert answer.status == 413
