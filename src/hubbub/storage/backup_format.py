"""The file of a backup: a zip with each table as JSON lines, the key, and a manifest that tells sizes and checksums.

Knows nothing about databases. The manifest is written last, so that everything is streamed; a zip is read from its
end, so that a file that was cut short is known at once. Checksums find accidents, not forgers: nothing is signed.
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
# What people upload will lie in `files/`.
LEVEL = 1  # twice as fast as the usual 6, and a tenth larger
CHUNK = 256 * 1024
MAX_MANIFEST = 64 * 2**20
MAX_ROW = 64 * 2**20
ZIP_MAGIC = b"PK\x03\x04"

Cell = None | bool | int | float | str | bytes


class BackupError(Exception):
    """A backup that cannot be made or used; the message is a sentence for the operator."""


class TableContent(Frozen):
    """What `tables/NAME.jsonl` holds: in its first line the columns, then a row a line."""

    columns: list[str]
    rows: int


class Part(Frozen):
    """One member of the zip, as it is when unpacked."""

    bytes: int
    sha256: str


class Manifest(Frozen):
    """What a backup is a backup of. `revision` is the schema's, `epoch` names the history, `made_at` is UTC."""

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
    """The name of a table's member."""
    return f"tables/{table}.jsonl"


class Sink(Protocol):
    """Where a backup is written to; need not be seekable."""

    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class Writer:
    """Writes a backup, while it is entered. `now` is in milliseconds."""

    def __init__(self, sink: Sink, now: int) -> None:
        self._zip = ZipFile(sink, "w", ZIP_DEFLATED, compresslevel=LEVEL)
        self._made_at = timestamp(now)
        self._tables: dict[str, TableContent] = {}
        self._parts: dict[str, Part] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # it would write its end; if we did not get that far, nobody is to see it
            self._zip.close()

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        """One member out of its pieces."""
        digest, size = sha256(), 0
        with self._zip.open(name, "w", force_zip64=True) as member:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                member.write(chunk)
        self._parts[name] = Part(bytes=size, sha256=digest.hexdigest())

    def add_table(self, name: str, columns: list[str], rows: Iterable[list[Cell]]) -> int:
        """One table; `rows` has its cells in the order of `columns`. Returns how many there were."""
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
        """Writes the manifest and the end of the zip."""
        facts = {"format": FORMAT, "hubbub": version, "revision": revision, "epoch": epoch, "database": database}
        manifest = Manifest.model_validate(
            {**facts, "made_at": self._made_at, "tables": self._tables, "parts": self._parts}
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
    """A backup that was found to be one; `check` says whether it is whole."""

    def __init__(self, path: Path, zip_: ZipFile, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self._zip = zip_

    def check(self) -> None:
        """Reads everything once; raises Unusable unless it is what was written."""
        for name, part in self.manifest.parts.items():
            digest, size = sha256(), 0
            with self._damage(name), self._zip.open(name) as member:
                while chunk := member.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    if size > part.bytes:
                        break
            if (size, digest.hexdigest()) != (part.bytes, part.sha256):
                raise BackupError(f"{self.path} is damaged: {name} is not what was written.")
        missing = {table_part(table) for table in self.manifest.tables} - self.manifest.parts.keys()
        if missing:
            raise BackupError(f"{self.path} is damaged: its manifest does not fit together.")

    def rows(self, table: str) -> Iterator[list[Cell]]:
        """The rows of a table, one after the other. Raises Unusable."""
        name, wanted, count = table_part(table), self.manifest.tables[table], 0
        with self._damage(name), self._zip.open(name) as member:
            lines = io.BufferedReader(cast(io.RawIOBase, member), CHUNK)
            if decode(lines.readline(MAX_ROW)) != wanted.columns:
                raise ValueError("other columns")
            while line := lines.readline(MAX_ROW):
                row = decode(line)
                if len(row) != len(wanted.columns):
                    raise ValueError("a row of another length")
                count += 1
                yield row
            if count != wanted.rows:
                raise ValueError("another number of rows")

    def read(self, name: str) -> bytes | None:
        """A small member as a whole, None if there is none."""
        if name not in self.manifest.parts:
            return None
        with self._damage(name):
            return self._zip.read(name)

    @contextmanager
    def _damage(self, name: str) -> Iterator[None]:
        try:
            yield
        except (BadZipFile, zlib.error, EOFError, KeyError, ValueError, NotImplementedError) as error:
            raise BackupError(f"{self.path} is damaged: {name} is not what was written.") from error


@contextmanager
def opened(path: Path) -> Iterator[Reader]:
    """A backup to read. Raises Unusable for what is none, or was made by a version this one does not know; OSError."""
    with path.open("rb") as stream:
        try:
            zip_ = ZipFile(stream)
        except (BadZipFile, ValueError) as error:
            stream.seek(0)
            begins = stream.read(len(ZIP_MAGIC)) == ZIP_MAGIC
            raise BackupError(
                f"{path} is damaged: its end is missing." if begins else f"{path} is not a backup of Hubbub."
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
            raise BackupError(f"{path} was made by a newer version of Hubbub: install that version.")
        return Manifest.model_validate(found)
    except (BadZipFile, zlib.error, EOFError, ValidationError, ValueError, NotImplementedError) as error:
        raise BackupError(f"{path} is damaged: its manifest cannot be read.") from error
