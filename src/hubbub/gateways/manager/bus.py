"""One manager in several processes: the options of its bus.

The bus and its client library are imported when the first manager with a bus is created.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from hubbub.bus.text_bus import TextBus

MIN_SECRET = 16
"""Bytes."""
NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
ADDRESS = (
    "A bus is nats://HOST:PORT, tls://HOST:PORT (several servers of one cluster are separated by commas), or "
    "postgresql://USER@HOST/DATABASE."
)


@dataclass(frozen=True, slots=True)
class BusOptions:
    """How a manager reaches its bus.

    `address` is of NATS or PostgreSQL, and may contain credentials. Managers with the same address
    and the same `name` (letters, digits, `-` and `_`, at most 40) are one manager.

    With a `secret` of at least 16 bytes, messages are signed, and others are ignored. Without one,
    every program that may publish on the bus can send to the clients.

    For NATS, `ca`, `certificate` and `key` are files in PEM format, and `credentials` is a NATS
    credentials file. PostgreSQL takes such options in its address.

    Raises ValueError for what is wrong, and ImportError if the client library is not installed.
    """

    address: str = field(repr=False)
    _: KW_ONLY
    name: str = "default"
    secret: str | bytes | None = field(default=None, repr=False)
    ca: str | Path | None = None
    certificate: str | Path | None = None
    key: str | Path | None = None
    credentials: str | Path | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not NAME.fullmatch(self.name):
            raise ValueError("The name of a bus has 1 to 40 letters, digits, hyphens or underscores.")
        if self.secret is not None and len(self._secret()) < MIN_SECRET:
            raise ValueError(f"The secret of a bus needs at least {MIN_SECRET} bytes.")
        if not isinstance(self.address, str) or not self.address.isprintable():
            raise ValueError(ADDRESS)
        if self._is_nats():
            self._check_nats()
        elif re.match(r"postgres(ql)?(\+\w+)?://", self.address):
            self._check_postgresql()
        else:
            raise ValueError(ADDRESS)
        import_module("hubbub.bus.text_bus")  # now, when no event loop waits for it

    def _secret(self) -> bytes:
        return self.secret.encode() if isinstance(self.secret, str) else self.secret or b""

    def _files(self) -> Mapping[str, str | Path]:
        found = {name: getattr(self, name) for name in ("ca", "certificate", "key", "credentials")}
        return {name: file for name, file in found.items() if file is not None}

    def _is_nats(self) -> bool:
        return self.address.startswith(("nats://", "tls://"))

    def _check_nats(self) -> None:
        for url in self.address.split(","):
            parts = urlsplit(url)
            try:
                good = parts.port != 0 and parts.scheme == self.address.partition(":")[0]
            except ValueError:
                good = False
            if not good or not parts.hostname or parts.path or parts.query or parts.fragment:
                raise ValueError(ADDRESS)
        if self.key is not None and self.certificate is None:
            raise ValueError("The key of a bus needs its certificate.")
        for name, file in self._files().items():
            if not Path(file).is_file():
                raise ValueError(f"The {name} of the bus is not a file: {file}")
        try:
            import_module("nats.aio.client")
        except ImportError:
            raise ImportError("A NATS bus needs a client library. Install hubbub[nats].") from None

    def _check_postgresql(self) -> None:
        if given := self._files():
            raise ValueError(f"{next(iter(given))} is for NATS. PostgreSQL takes such options in its address.")
        try:
            from psycopg import Error
            from psycopg.conninfo import conninfo_to_dict
        except ImportError:
            raise ImportError("A PostgreSQL bus needs a driver. Install hubbub[postgresql].") from None
        try:
            conninfo_to_dict(self._conninfo())
        except Error as error:
            raise ValueError(f"{ADDRESS} libpq says: {error}") from None

    def _conninfo(self) -> str:
        """Return the address for libpq: SQLAlchemy's names the driver, too."""
        return "postgresql://" + self.address.partition("://")[2]


DEFAULTS: dict[str, Any] = {"connect_timeout": 5, "application_name": "hubbub-bus"}
"""Options of the connection to PostgreSQL that its address does not give."""


def text_bus(options: BusOptions) -> "TextBus":
    """Return a new bus, which is not connected yet."""
    from hubbub.bus.nats import NatsOptions
    from hubbub.bus.text_bus import NatsTextBus, PostgresTextBus
    from hubbub.bus.texts import TextCodec

    codec = TextCodec(options.name, options._secret(), os.urandom(8).hex())
    if not options._is_nats():
        from psycopg.conninfo import conninfo_to_dict

        given = conninfo_to_dict(options._conninfo())
        more = {name: value for name, value in DEFAULTS.items() if name not in given}
        return PostgresTextBus(options._conninfo(), options.name, codec, **more)
    files = {name: Path(file) for name, file in options._files().items()}
    return NatsTextBus(NatsOptions(tuple(options.address.split(",")), **files), options.name, codec)
