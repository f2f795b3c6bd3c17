"""Identities on both engines and on two nodes: accounts and revocations."""

import asyncio

import pytest

from hubbub.domain.commands import AdmitIdentity, DeleteAccount, RevokeIdentity, SetDisabled
from hubbub.domain.events import IdentityRevoked
from hubbub.domain.identities import Identity
from hubbub.domain.model import SYSTEM, Role
from hubbub.features import identities, sessions
from hubbub.features.identities import KnownIdentity
from tests.engine.conftest import Desk, desk_at
from tests.support.postgres import Postgres

ANNA = Identity("app", "1", "Anna")


async def admit(desk: Desk, who: Identity) -> None:
    command = AdmitIdentity(issuer=who.issuer, subject=who.subject, name=who.name, role=Role(who.role))
    await desk.journal.submit(command, SYSTEM)


async def revoke(desk: Desk, who: Identity) -> None:
    await desk.journal.submit(RevokeIdentity(issuer=who.issuer, subject=who.subject), SYSTEM)


def known(desk: Desk, who: Identity) -> KnownIdentity:
    found = desk.database.read(identities.recognise, who)
    assert found is not None
    return found


def position(desk: Desk) -> int:
    return desk.database.read(identities.position)


def is_valid(desk: Desk, who: Identity, seen: int) -> bool:
    """Return whether an identity recognised at security position `seen` is valid."""
    person = known(desk, who)
    session = sessions.hosted(person.user, person.name, person.role, seen).session
    return desk.database.read(sessions.resolve, session, 0) is not None


async def test_an_identity_gets_an_account_once_and_a_revocation_ends_earlier_recognition(desk: Desk) -> None:
    assert desk.database.read(identities.recognise, ANNA) is None
    await admit(desk, ANNA)
    await admit(desk, ANNA)
    user, seen = known(desk, ANNA).user, position(desk)
    assert is_valid(desk, ANNA, seen)
    await revoke(desk, ANNA)
    assert not is_valid(desk, ANNA, seen)
    assert is_valid(desk, ANNA, position(desk))
    (event,) = [entry.event for entry in desk.published if isinstance(entry.event, IdentityRevoked)]
    assert event == IdentityRevoked(user=user)
    await admit(desk, Identity("app", "1", "Hanna"))
    assert not is_valid(desk, Identity("app", "1", "Hanna"), seen), "a new name does not undo the revocation"


async def test_revoking_an_unknown_identity_also_ends_its_later_first_account(desk: Desk) -> None:
    seen = position(desk)
    await revoke(desk, ANNA)
    await admit(desk, ANNA)
    assert not is_valid(desk, ANNA, seen)
    assert is_valid(desk, ANNA, position(desk))


async def test_disabled_and_deleted_accounts_are_invalid_and_their_identity_gets_no_new_one(desk: Desk) -> None:
    await admit(desk, ANNA)
    user = known(desk, ANNA).user
    await desk.journal.submit(SetDisabled(user=user, disabled=True), SYSTEM)
    assert not is_valid(desk, ANNA, position(desk))
    await desk.journal.submit(SetDisabled(user=user, disabled=False), SYSTEM)
    assert is_valid(desk, ANNA, position(desk))
    await desk.journal.submit(DeleteAccount(user=user), SYSTEM)
    for name in ("Anna", "Anna again"):
        again = Identity("app", "1", name)
        await admit(desk, again)
        assert known(desk, again).user == user
        assert known(desk, again).disabled
        assert not is_valid(desk, again, position(desk))


@pytest.mark.usefixtures("patient_postgresql")
async def test_two_nodes_that_first_see_an_identity_at_once_create_one_account(postgres_server: Postgres) -> None:
    address = postgres_server.fresh()
    async with desk_at(address) as first, desk_at(address) as second:
        people = [Identity("app", str(number), "Anna") for number in range(10)]
        await asyncio.gather(*(admit(desk, who) for who in people for desk in (first, second)))
        users = [known(first, who).user for who in people]
        assert users == [known(second, who).user for who in people]
        assert len(set(users)) == len(people)
        assert first.rows("SELECT count(*) FROM users") == [(len(people),)]
        seen = position(second)
        await asyncio.gather(
            *(work(desk, who) for who in people for desk in (first, second) for work in (admit, revoke))
        )
        assert not any(is_valid(second, who, seen) for who in people)
        assert all(is_valid(second, who, position(second)) for who in people)
    postgres_server.drop(address)
