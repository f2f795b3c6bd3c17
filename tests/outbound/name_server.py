"""A DNS server on the loopback interface, and a resolver that asks it (RFC 1035)."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

A, AAAA, IN = 1, 28, 1


class NameServer(asyncio.DatagramProtocol):
    """Gives the scripted answers in turn, and the last one for ever: a name that rebinds."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.queries: list[str] = []
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, peer: tuple[str | Any, int]) -> None:
        assert self.transport is not None
        labels, place = [], 12
        while data[place]:
            labels.append(data[place + 1 : place + 1 + data[place]].decode())
            place += 1 + data[place]
        self.queries.append(".".join(labels))
        addresses = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        question = data[12 : place + 5]
        records = b"".join(self._record(address) for address in addresses)
        code = 0x8180 if addresses else 0x8183  # NXDOMAIN without an address
        self.transport.sendto(data[:2] + struct.pack("!5H", code, 1, len(addresses), 0, 0) + question + records, peer)

    @staticmethod
    def _record(address: str) -> bytes:
        kind, family = (AAAA, socket.AF_INET6) if ":" in address else (A, socket.AF_INET)
        packed = socket.inet_pton(family, address)
        return struct.pack("!HHHIH", 0xC00C, kind, IN, 0, len(packed)) + packed  # a time to live of 0

    async def resolve(self, host: str, port: int) -> list[str]:
        """Ask this server over UDP; the resolver that a client gets."""
        assert self.transport is not None
        address = self.transport.get_extra_info("sockname")
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setblocking(False)
            name = b"".join(bytes([len(label)]) + label.encode() for label in host.split(".")) + b"\0"
            await loop.sock_connect(asking, address)
            await loop.sock_sendall(
                asking, struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + name + struct.pack("!2H", A, IN)
            )
            answer = await loop.sock_recv(asking, 65_535)
        (count,) = struct.unpack_from("!H", answer, 6)
        place = 12 + len(name) + 4
        found = []
        for _ in range(count):
            kind, length = (
                struct.unpack_from("!H", answer, place + 2)[0],
                struct.unpack_from("!H", answer, place + 10)[0],
            )
            packed = answer[place + 12 : place + 12 + length]
            found.append(socket.inet_ntop(socket.AF_INET6 if kind == AAAA else socket.AF_INET, packed))
            place += 12 + length
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "name not known")
        return found


@asynccontextmanager
async def name_server(*answers: Sequence[str]) -> AsyncIterator[NameServer]:
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: NameServer(*answers), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()
