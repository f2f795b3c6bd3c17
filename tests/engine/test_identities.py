"""Identities on both engines and on two nodes: accounts and revocations."""

import asyncio

import pytest

from hubbub.domain.commands import AdmitIdentity, DeleteAccount, RevokeIdentity, SetDisabled
from hubbub.domain.events import IdentityRevoked
from hubbub.domain.identities import Identity
from hubbub.domain.model import SYSTEM, Role
from hubbub.features import identities, sessions
from hubbub.features.identities import KnownIdentity
from tests.engine.conftest import Store, store_at
from tests.support.postgres import Postgres

ANNA = Identity("app", "1", "Anna")


async def admit(store: Store, who: Identity) -> None:
    command = AdmitIdentity(issuer=who.issuer, subject=who.subject, name=who.name, role=Role(who.role))
    await store.journal.submit(command, SYSTEM)


async def revoke(store: Store, who: Identity) -> None:
    await store.journal.submit(RevokeIdentity(issuer=who.issuer, subject=who.subject), SYSTEM)


def known(store: Store, who: Identity) -> KnownIdentity:
    found = store.database.read(identities.recognise, who)
    assert found is not None
    return found


def position(store: Store) -> int:
    return store.database.read(identities.position)


def is_valid(store: Store, who: Identity, seen: int) -> bool:
    """Return whether an identity recognised at security position `seen` is valid."""
    person = known(store, who)
    session = sessions.hosted(person.user, person.name, person.role, seen).session
    return store.database.read(sessions.resolve, session, 0) is not None


async def test_an_identity_gets_an_account_once_and_a_revocation_ends_earlier_recognition(store: Store) -> None:
    assert store.database.read(identities.recognise, ANNA) is None
    await admit(store, ANNA)
    await admit(store, ANNA)
    user, seen = known(store, ANNA).user, position(store)
    assert is_valid(store, ANNA, seen)
    await revoke(store, ANNA)
    assert not is_valid(store, ANNA, seen)
    assert is_valid(store, ANNA, position(store))
    (event,) = [entry.event for entry in store.published if isinstance(entry.event, IdentityRevoked)]
    assert event == IdentityRevoked(user=user)
    await admit(store, Identity("app", "1", "Hanna"))
    assert not is_valid(store, Identity("app", "1", "Hanna"), seen), "a new name does not undo the revocation"


async def test_revoking_an_unknown_identity_also_ends_its_later_first_account(store: Store) -> None:
    seen = position(store)
    await revoke(store, ANNA)
    await admit(store, ANNA)
    assert not is_valid(store, ANNA, seen)
    assert is_valid(store, ANNA, position(store))


async def test_disabled_and_deleted_accounts_are_invalid_and_their_identity_gets_no_new_one(store: Store) -> None:
    await admit(store, ANNA)
    user = known(store, ANNA).user
    await store.journal.submit(SetDisabled(user=user, disabled=True), SYSTEM)
    assert not is_valid(store, ANNA, position(store))
    await store.journal.submit(SetDisabled(user=user, disabled=False), SYSTEM)
    assert is_valid(store, ANNA, position(store))
    await store.journal.submit(DeleteAccount(user=user), SYSTEM)
    for name in ("Anna", "Anna again"):
        again = Identity("app", "1", name)
        await admit(store, again)
        assert known(store, again).user == user
        assert known(store, again).disabled
        assert not is_valid(store, again, position(store))


@pytest.mark.usefixtures("patient_postgresql")
async def test_two_nodes_that_first_see_an_identity_at_once_create_one_account(postgres_server: Postgres) -> None:
    address = postgres_server.fresh()
    async with store_at(address) as first, store_at(address) as second:
        people = [Identity("app", str(number), "Anna") for number in range(10)]
        await asyncio.gather(*(admit(store, who) for who in people for store in (first, second)))
        users = [known(first, who).user for who in people]
        assert users == [known(second, who).user for who in people]
        assert len(set(users)) == len(people)
        assert first.rows("SELECT count(*) FROM users") == [(len(people),)]
        seen = position(second)
        await asyncio.gather(
            *(work(store, who) for who in people for store in (first, second) for work in (admit, revoke))
        )
        assert not any(is_valid(second, who, seen) for who in people)
        assert all(is_valid(second, who, position(second)) for who in people)
    postgres_server.drop(address)
