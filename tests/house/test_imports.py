"""What a server imports: packages that only a part of its commands needs stay out of its memory."""

import subprocess
import sys

import pytest

SERVE = """
import sys
from pathlib import Path
from hubbub.cli import options
from hubbub.cli.loading import loading
options.settings({"data": Path(sys.argv[1])}, None)
with loading():
    import hubbub.main
print(*{name.partition(".")[0] for name in sys.modules})
"""
NOT_IMPORTED = {
    "alembic": "migrations, and a new database",
    "confusable_homoglyphs": "scripts.unicode_data",
    "emoji": "scripts.unicode_data",
    "mako": "comes with alembic",
    "psycopg": "PostgreSQL",
    "pygments": "comes with rich",
    "rich": "tables and progress bars of the command line",
}
"""Packages that `hubbub serve` does not import, and what needs them."""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    command = [sys.executable, "-c", SERVE, str(tmp_path_factory.mktemp("data"))]
    return set(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.split())


@pytest.mark.parametrize("package", NOT_IMPORTED)
def test_a_server_does_not_import(package: str, imported: set[str]) -> None:
    assert package not in imported


def test_control_a_server_imports_structlog_and_fastapi(imported: set[str]) -> None:
    assert {"structlog", "fastapi", "sqlalchemy"} <= imported
