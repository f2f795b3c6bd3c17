"""An application with fastapi-users on SQLAlchemy, and Hubbub mounted beside it."""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from starlette.requests import HTTPConnection

from hubbub import Hubbub, Identity

SECRET = "a secret of the application, long enough for HS256"
engine = create_async_engine(f"sqlite+aiosqlite:///{os.environ['APP_DATA']}/app.db")
make_session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class User(SQLAlchemyBaseUserTableUUID, Base):
    pass


class Manager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = verification_token_secret = SECRET


async def sessions() -> AsyncIterator[AsyncSession]:
    async with make_session() as session:
        yield session


async def managers(session: AsyncSession = Depends(sessions)) -> AsyncIterator[Manager]:
    yield Manager(SQLAlchemyUserDatabase(session, User))


def strategy() -> JWTStrategy:
    return JWTStrategy(secret=SECRET, lifetime_seconds=3_600)


backend = AuthenticationBackend("jwt", BearerTransport("auth/login"), strategy)
users = FastAPIUsers[User, uuid.UUID](managers, [backend])


async def identify(connection: HTTPConnection) -> Identity | None:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    async with make_session() as session:
        user = await strategy().read_token(token, Manager(SQLAlchemyUserDatabase(session, User)))
    return Identity("app", str(user.id), user.email.partition("@")[0]) if user is not None else None


hubbub = Hubbub(authenticate=identify, ambient=False, data=f"{os.environ['APP_DATA']}/chat")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with hubbub.lifespan(app):
        yield


app = FastAPI(lifespan=lifespan)
app.include_router(users.get_auth_router(backend), prefix="/auth")
app.include_router(users.get_register_router(schemas.BaseUser[uuid.UUID], schemas.BaseUserCreate), prefix="/auth")
app.mount("/chat", hubbub.app)
