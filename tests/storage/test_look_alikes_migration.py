"""Migration 0013: names that have become alike keep their accounts and their log-ins."""

from pathlib import Path

from sqlalchemy import Connection, text

from hubbub.domain import names
from hubbub.storage import accounts, migrate
from hubbub.storage.database import Database

NOW = 1_790_000_000_000
NAMES = {11: "alıce", 12: "alice", 13: "ɡooɡle", 14: "ɡoogle", 15: "Зоя", 16: "zoë", 17: "userl", 18: "user1"}
"""Names of users by id; their skeletons were the names in small letters."""


def insert(connection: Connection, user: int, name: str, skeleton: str | None) -> None:
    connection.execute(
        text(
            "INSERT INTO users (id, name, skeleton, search_key, role, created_at, disabled, deleted_at) "
            "VALUES (:id, :name, :skeleton, 'old', 'member', 0, :gone, :deleted)"
        ),
        {"id": user, "name": name, "skeleton": skeleton, "deleted": None if skeleton else 1, "gone": skeleton is None},
    )


def test_names_that_become_alike_stay_distinct_accounts(tmp_path: Path) -> None:
    store = Database(f"sqlite:///{tmp_path / 'hubbub.db'}")
    with store.writer.connect() as connection, connection.begin():
        migrate.run_steps(connection, "0012")
        for user, name in NAMES.items():
            insert(connection, user, name, name.casefold())
        insert(connection, 19, "deleted-19", None)
    migrate.upgrade(store, epoch="first", now=NOW)

    def look(connection: Connection) -> None:
        for user, name in NAMES.items():
            found = accounts.find_by_name(connection, name)
            assert found is not None
            assert (found.id, found.name) == (user, name), "the account still logs in by its name"
        rows = connection.execute(text("SELECT id, name, skeleton, search_key FROM users WHERE id >= 11")).all()
        assert {row.id: row.skeleton for row in rows} == {
            11: "allce", 12: "alice", 13: "google", 14: "ɡoogle", 15: names.skeleton("Зоя"), 16: "zoë", 17: "userl",
            18: "user1", 19: None,
        }  # fmt: skip
        assert {row.search_key for row in rows} == {names.search_key(row.name) for row in rows}
        assert accounts.resembling(connection, "aǀice") == {11, 12}
        assert accounts.resembling(connection, "google") == {13}, "one is enough"
        assert accounts.resembling(connection, "user1") == {18}

    store.read(look)
    store.close()
