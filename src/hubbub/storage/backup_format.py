"""The file format of a backup: a zip of tables, the signing key and a manifest.

Each table is a file of JSON lines. The manifest has sizes and checksums. This module knows nothing
about databases. The manifest is written last, so that everything can be streamed. A zip is read
from its end, so that a truncated file is detected at once. Checksums detect accidents, not
forgeries: nothing is signed.
"""

import io
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Protocol, Self, cast
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import orjson
from pydantic import ValidationError

from hubbub.domain.model import Frozen
from hubbub.domain.text import timestamp

FORMAT = 1
MANIFEST = "manifest.json"
# `files/` is reserved for uploads.
LEVEL = 1  # twice as fast as the default 6, and a tenth larger
CHUNK = 256 * 1024
MAX_MANIFEST = 64 * 2**20
MAX_ROW = 64 * 2**20
ZIP_MAGIC = b"PK\x03\x04"

Cell = None | bool | int | float | str | bytes


class BackupError(Exception):
    """A backup cannot be made or used. The message is a sentence for the operator."""


class TableContent(Frozen):
    """The content of `tables/NAME.jsonl`.

    The first line has the columns, each further line a row.
    """

    columns: list[str]
    rows: int


class Part(Frozen):
    """One member of the zip: size and checksum of its unpacked content."""

    bytes: int
    sha256: str


class Manifest(Frozen):
    """The manifest of a backup.

    `revision` is that of the schema, `epoch` identifies the history, `made_at` is in UTC.
    """

    format: int
    hubbub: str
    revision: str
    epoch: str
    made_at: str
    database: Literal["sqlite", "postgresql"]
    tables: dict[str, TableContent]
    parts: dict[str, Part]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())


def table_part(table: str) -> str:
    """Return the name of a table's member of the zip."""
    return f"tables/{table}.jsonl"


class Sink(Protocol):
    """The stream that a backup is written to. It need not be seekable."""

    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class Writer:
    """Writes a backup as a context manager. `now` is in milliseconds."""

    def __init__(self, sink: Sink, now: int) -> None:
        self._zip = ZipFile(sink, "w", ZIP_DEFLATED, compresslevel=LEVEL)
        self._made_at = timestamp(now)
        self._tables: dict[str, TableContent] = {}
        self._parts: dict[str, Part] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # closing writes the end of the zip; after a failure the error must stay the first one
            self._zip.close()

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write one member of the zip in chunks."""
        digest, size = sha256(), 0
        with self._zip.open(name, "w", force_zip64=True) as member:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                member.write(chunk)
        self._parts[name] = Part(bytes=size, sha256=digest.hexdigest())

    def add_table(self, name: str, columns: list[str], rows: Iterable[list[Cell]]) -> int:
        """Write one table and return the number of its rows.

        `rows` has the cells in the order of `columns`.
        """
        count = 0

        def lines() -> Iterator[bytes]:
            nonlocal count
            pending, size = [encode(columns)], 0
            for row in rows:
                line = encode(row)
                pending.append(line)
                size += len(line)
                count += 1
                if size > CHUNK:
                    yield b"".join(pending)
                    pending, size = [], 0
            yield b"".join(pending)

        self.add(table_part(name), lines())
        self._tables[name] = TableContent(columns=columns, rows=count)
        return count

    def finish(self, *, version: str, revision: str, epoch: str, database: str) -> Manifest:
        """Write the manifest and the end of the zip."""
        manifest = Manifest.model_validate(
            {
                "format": FORMAT,
                "hubbub": version,
                "revision": revision,
                "epoch": epoch,
                "made_at": self._made_at,
                "database": database,
                "tables": self._tables,
                "parts": self._parts,
            }
        )
        self._zip.writestr(MANIFEST, manifest.model_dump_json(indent=1).encode() + b"\n")
        self._zip.close()
        return manifest


def encode(row: list[Any]) -> bytes:
    return orjson.dumps(row, default=_binary, option=orjson.OPT_APPEND_NEWLINE)


def decode(line: bytes) -> list[Cell]:
    row = orjson.loads(line)
    return [b64decode(cell["base64"]) if type(cell) is dict else cell for cell in row]


def _binary(cell: object) -> dict[str, str]:
    if isinstance(cell, bytes | memoryview):
        return {"base64": b64encode(cell).decode()}
    raise TypeError(type(cell))


class Reader:
    """A backup with a readable manifest. `check` verifies its content."""

    def __init__(self, path: Path, zip_: ZipFile, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self._zip = zip_

    def check(self) -> None:
        """Read everything once. Raises BackupError if it is not what was written."""
        for name, part in self.manifest.parts.items():
            digest, size = sha256(), 0
            with self._damage_reported(name), self._zip.open(name) as member:
                while chunk := member.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    if size > part.bytes:
                        break
            if (size, digest.hexdigest()) != (part.bytes, part.sha256):
                raise BackupError(f"{self.path} is damaged: the content of {name} has changed.")
        missing = {table_part(table) for table in self.manifest.tables} - self.manifest.parts.keys()
        if missing:
            raise BackupError(f"{self.path} is damaged: its manifest is inconsistent.")

    def rows(self, table: str) -> Iterator[list[Cell]]:
        """Yield the rows of a table. Raises BackupError."""
        name, wanted, count = table_part(table), self.manifest.tables[table], 0
        with self._damage_reported(name), self._zip.open(name) as member:
            lines = io.BufferedReader(cast(io.RawIOBase, member), CHUNK)
            if decode(lines.readline(MAX_ROW)) != wanted.columns:
                raise ValueError("the columns differ from the manifest")
            while line := lines.readline(MAX_ROW):
                row = decode(line)
                if len(row) != len(wanted.columns):
                    raise ValueError("a row has the wrong length")
                count += 1
                yield row
            if count != wanted.rows:
                raise ValueError("the number of rows differs from the manifest")

    def read(self, name: str) -> bytes | None:
        """Return the whole content of a small member, None if there is no such member."""
        if name not in self.manifest.parts:
            return None
        with self._damage_reported(name):
            return self._zip.read(name)

    @contextmanager
    def _damage_reported(self, name: str) -> Iterator[None]:
        try:
            yield
        except (BadZipFile, zlib.error, EOFError, KeyError, ValueError, NotImplementedError) as error:
            raise BackupError(f"{self.path} is damaged: the content of {name} has changed.") from error


@contextmanager
def opened(path: Path) -> Iterator[Reader]:
    """Open a backup for reading.

    Raises BackupError if the file is not a backup or was made by a newer version, OSError.
    """
    with path.open("rb") as stream:
        try:
            zip_ = ZipFile(stream)
        except (BadZipFile, ValueError) as error:
            stream.seek(0)
            starts_as_zip = stream.read(len(ZIP_MAGIC)) == ZIP_MAGIC
            raise BackupError(
                f"{path} is damaged: its end is missing." if starts_as_zip else f"{path} is not a backup of Hubbub."
            ) from error
        with zip_:
            yield Reader(path, zip_, _manifest(path, zip_))


def _manifest(path: Path, zip_: ZipFile) -> Manifest:
    if MANIFEST not in zip_.namelist():
        raise BackupError(f"{path} is not a backup of Hubbub.")
    try:
        with zip_.open(MANIFEST) as member:
            found = orjson.loads(member.read(MAX_MANIFEST))
        if type(found) is dict and type(found.get("format")) is int and found["format"] > FORMAT:
            raise BackupError(f"{path} was made by a newer version of Hubbub. Install that version.")
        return Manifest.model_validate(found)
    except (BadZipFile, zlib.error, EOFError, ValidationError, ValueError, NotImplementedError) as error:
        raise BackupError(f"{path} is damaged: its manifest cannot be read.") from error
