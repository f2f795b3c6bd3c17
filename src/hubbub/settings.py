"""All settings.

Command-line flags override `HUBBUB_*` variables, which override `hubbub.toml` and the defaults.

An invalid value is reported in one sentence with its key, its source and what is allowed. Values
that may hold a secret are not repeated.
"""

import os
import re
import tomllib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from hubbub.domain.site_settings import NAMES, Fixed, SiteSettings

PREFIX = "HUBBUB_"
CONFIG = "hubbub.toml"
POSTGRESQL = "postgresql+psycopg"
EVERYWHERE = frozenset({"0.0.0.0", "::", "127.0.0.1", "::1"})  # noqa: S104  addresses to compare with, not to bind
NOT_SETTINGS = frozenset({"HUBBUB_CONFIG", "HUBBUB_CI"})
MAX_URL = 2_000
URL = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+")
ROOT_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
HOST_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?!\d+$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# A public path that starts with one of these could not be told from one that the proxy has
# stripped.
OWN_PATHS = frozenset({"api", "assets", "docs", "embed", "embed.js", "health", "invite", "metrics", "openapi.json",
                       "reset", "setup", "sw.js", "token", "users", "ws"})  # fmt: skip


class WrongSetting(Exception):
    """A setting is invalid; the message tells the operator what to correct."""


def _is_this_machine(host: str) -> bool:
    """Return whether an address or a name leads to this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


def _split(value: object) -> object:
    return [part for part in re.split(r"[,\s]+", value) if part] if isinstance(value, str) else value


def _check_address(url: str) -> str:
    """Return the normalised address.

    Scheme, host and port are as browsers send them (RFC 6454, section 6.2); the path has no final
    slash.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("must be an http or https address")
    port = parts.port  # raises ValueError when it is not a number up to 65535
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    path = parts.path.removesuffix("/")
    if not ROOT_PATH.fullmatch(path) or path.split("/")[1:2] in ([own] for own in OWN_PATHS):
        raise ValueError("has a path that cannot be used")
    return f"{parts.scheme}://{host}{'' if port in (None, usual) else f':{port}'}{path}"


def _check_origin(url: str) -> str:
    address = _check_address(url)
    if urlsplit(address).path:
        raise ValueError("has a path")
    if not _is_host(urlsplit(address).hostname or ""):
        raise ValueError("must name one host, without wildcards")
    return address


def _is_host(name: str) -> bool:
    """Return True for an IP address and for a name as browsers send it, in ASCII."""
    try:
        ip_address(name)
    except ValueError:
        return len(name) <= 253 and HOST_NAME.fullmatch(name) is not None
    return True


def _check_ancestor(value: str) -> str:
    """Return an origin, or `'self'` as in a Content-Security-Policy."""
    return "'self'" if value in ("self", "'self'") else _check_origin(value)


def check_login_url(url: str) -> str:
    """Return the address of a log-in page. Raises WrongSetting."""
    parts = _url_parts(url)
    is_path = not parts.scheme and not parts.netloc and parts.path.startswith("/")
    is_web = parts.scheme in ("http", "https") and _is_host(parts.hostname or "") and not parts.username
    if not (is_path or is_web) or parts.fragment or not _is_clean(url):
        raise WrongSetting(
            f"login_url has an invalid value {_short(url)}; allowed: a path such as /login, "
            "or an http or https address, without a fragment."
        )
    return url


def check_token_url(url: str) -> str:
    """Return the path of the host application's token endpoint. Raises WrongSetting."""
    parts = _url_parts(url)
    if parts.scheme or parts.netloc or parts.fragment or not parts.path.startswith("/") or not _is_clean(url):
        raise WrongSetting(
            f"token_url has an invalid value {_short(url)}; allowed: a path such as /api/chat-token "
            "on the origin of the chat. Pages with tokens of their own hand them to <hubbub-room>."
        )
    return url


def _url_parts(url: object) -> SplitResult:
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        _ = parts.port
    except ValueError:
        return urlsplit("")
    return parts


def _is_clean(url: str) -> bool:
    """Return True if a browser and `urlsplit` read the address alike."""
    return len(url) <= MAX_URL and not url.startswith("//") and URL.fullmatch(url) is not None


def _check_database(url: str) -> str:
    scheme, _, where = url.partition("://")
    if scheme == "sqlite" and where.startswith("/") and where != "/":
        if where.startswith(("/file:", "/:memory:")) or "?" in where:
            raise ValueError("must be a path: SQLite's own URIs could turn locks off")
        return url
    if scheme == POSTGRESQL and where:
        _ = urlsplit(url).port  # raises ValueError; a password with a slash in it fails here as well
        return url
    raise ValueError("must be a SQLite file or a PostgreSQL database")


def _check_bus(value: str) -> str:
    if value == "postgresql":
        return value
    for url in value.split(","):
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError
        if parts.scheme not in ("nats", "tls") or not parts.hostname or parts.path or parts.query or parts.fragment:
            raise ValueError("must be addresses of NATS servers, or postgresql")
    if len({urlsplit(url).scheme for url in value.split(",")}) > 1:
        raise ValueError("must be all nats:// or all tls://")
    return value


def _parse_destination(value: object) -> object:
    """Return a network, or a host name in lower case."""
    if not isinstance(value, str):
        return value
    try:
        return ip_network(value)
    except ValueError:
        name = value.lower()
        if len(name) > 253 or not HOST_NAME.fullmatch(name):
            raise ValueError("must be a network or a host name") from None
        return name


def _join(value: object) -> object:
    """Accept a list, or the single number of a settings file."""
    parts = value if isinstance(value, list | tuple) else [value]
    return ",".join(str(part) for part in parts)


def _parse_ports(text: str) -> tuple[range, ...]:
    """Return the ports of a list such as `80,443,8000-8099`."""
    found = []
    for part in re.split(r"[,\s]+", text.strip()):
        first, dash, last = part.partition("-")
        ports = range(int(first), int(last if dash else first) + 1)
        if not (0 < ports.start < ports.stop <= 65_536 and first.isascii() and last.isascii()):
            raise ValueError("must be ports from 1 to 65535")
        found.append(ports)
    return tuple(found)


def _check_ports(text: str) -> str:
    _parse_ports(text)
    return text


Address = Annotated[str, AfterValidator(_check_address)]
Origin = Annotated[str, AfterValidator(_check_origin)]
Origins = Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_split)]
Ancestors = Annotated[tuple[Annotated[str, AfterValidator(_check_ancestor)], ...], NoDecode, BeforeValidator(_split)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_split)]
Destination = Annotated[IPv4Network | IPv6Network | str, BeforeValidator(_parse_destination)]
Destinations = Annotated[tuple[Destination, ...], NoDecode, BeforeValidator(_split)]
Ports = Annotated[str, BeforeValidator(_join), AfterValidator(_check_ports)]
SECRET = frozenset({"database_url", "bus_url", "metrics_token"})


class Settings(SiteSettings, BaseSettings):
    """All settings, immutable.

    Those of the site come first. They are the values at start: code that runs later reads them from
    `Services.site`, since the database may change them.

    A field's description says which values are allowed, its docstring what it does and when to
    change it.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", min_length=1, description="an address or a host name to listen on")
    """The address to listen on. Set `0.0.0.0` or `::` to accept connections from other machines without a proxy."""
    port: int = Field(8000, ge=0, le=65_535, description="a number from 0 to 65535; 0 picks a free one")
    """The port to listen on."""
    workers: int = Field(1, ge=1, le=64, description="a number from 1 to 64")
    """How many processes `hubbub serve` starts on this machine. More than one need a PostgreSQL database and a bus.
    A web server that runs Hubbub as an application has its own option for this."""
    data: Path = Field(Path("hubbub-data"), description="a folder; it is created if it does not exist")
    """The folder with the database, the keys and the socket of the command line. `hubbub backup` copies it."""
    database_url: Annotated[str, AfterValidator(_check_database)] | None = Field(
        None,
        description="sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/NAME; "
        "without one, hubbub.db in the data folder",
    )
    """The database. Set it to use PostgreSQL, or to keep the SQLite file outside of the data folder."""
    database_wait_seconds: float = Field(60.0, ge=0, le=3_600, description="seconds, from 0 to 3600")
    """How long `hubbub serve` waits at its start for a PostgreSQL that is not up yet."""
    bus_url: Annotated[str, AfterValidator(_check_bus)] | None = Field(
        None,
        description="nats://HOST:PORT or tls://HOST:PORT, several of one cluster separated by commas, "
        "or postgresql; without one, the server runs alone",
    )
    """The bus between several servers on one PostgreSQL database. `tls://` requires TLS. A URL may contain
    `USER:PASSWORD@` or `TOKEN@`. `postgresql` uses the database itself, for two to four small servers."""
    bus_ca: Path | None = Field(None, description="a file in PEM format")
    """The certificate authority of the NATS servers. Without one, those of the system count."""
    bus_certificate: Path | None = Field(None, description="a file in PEM format")
    """The certificate with which this server identifies itself to NATS."""
    bus_key: Path | None = Field(None, description="a file in PEM format")
    """The private key of `bus_certificate`, unless it is in the same file."""
    bus_credentials: Path | None = Field(None, description="a NATS credentials file")
    """The credentials of this server at NATS, as `nsc` writes them."""
    key_in_database: bool = Field(True, description="on or off")
    """Whether servers with a bus share the signing key through the database. If it is off, copy `secret.key` to the
    data folder of each server."""
    public_url: Address | None = Field(
        None,
        description="the address browsers use, e.g. https://chat.example.org or https://example.org/chat "
        "(a path of its own, not one like /api)",
    )
    """The address browsers use. Set it as soon as the server is reached by a name or through a proxy: links,
    cookies and the check of origins depend on it."""
    origins: Origins = Field((), description="more origins whose pages may connect, separated by commas")
    """Further origins whose pages may open the WebSocket. Set it when your own web page talks to this server."""
    guests_from_files: bool = Field(False, description="on or off")
    """Whether pages without an origin of their own (`Origin: null`) may open `/ws/NAME` as guests: pages opened from a
    local file, such as the tutorial's, but also sandboxed frames on any page of the web. Turn it on only while you try
    such a page."""
    frame_ancestors: Ancestors = Field(
        (), description="origins such as https://app.example.org, without wildcards, or self, separated by commas"
    )
    """Origins whose pages may show the web client in a frame. Set it when a page of another origin shows the chat or
    a room of it. Pages of the chat's own origin may show rooms without it."""
    trusted_proxies: Networks = Field(
        (),
        description="addresses or networks whose forwarding headers are trusted, separated by commas",
    )
    """Proxies whose `X-Forwarded-*` headers count. Set it to the address of the proxy in front of the server."""

    rate_limits: bool = Field(True, description="on or off")
    """Whether limits per user and per address apply. Turn them off only for load tests."""
    hello_timeout: float = Field(5.0, gt=0, le=3_600, description="seconds, more than 0, at most 3600")
    """How long a WebSocket may stay open before the client logs in."""
    head_timeout: float = Field(10.0, gt=0, le=3_600, description="seconds, more than 0, at most 3600")
    """How long the head of an HTTP request may take to arrive."""
    body_timeout: float = Field(60.0, gt=0, le=3_600, description="seconds, more than 0, at most 3600")
    """How long the body of an HTTP request may take to arrive, and a response to be read."""
    drain_seconds: float = Field(5.0, ge=0, le=600, description="seconds, from 0 to 600")
    """How long requests and connections have to finish when the server stops."""
    connections_per_user: int = Field(20, ge=1, le=1_000_000, description="a number from 1 to 1000000")
    """How many WebSockets one user may have open."""
    connections_max: int | None = Field(
        None, ge=1, le=10_000_000, description="a number from 1 to 10000000; without one, 80 % of `ulimit -n`"
    )
    """How many connections the server accepts in all. Raise `ulimit -n` first."""
    unauthenticated_per_address: int = Field(50, ge=1, le=1_000_000, description="a number from 1 to 1000000")
    """How many WebSockets of one network may wait to log in. Raise it when many users share an address."""
    unauthenticated_max: int = Field(200, ge=1, le=1_000_000, description="a number from 1 to 1000000")
    """How many WebSockets may wait to log in, in all."""

    access_token_seconds: int = Field(600, ge=1, le=86_400, description="seconds from 1 to 86400")
    """How long an access token of `POST /token` is valid."""

    outbox_bytes: int = Field(2**20, ge=2**16, le=2**30, description="bytes from 65536 to 1073741824")
    """How much may wait for one slow connection before the server closes it."""
    frame_bytes: int = Field(2**16, ge=2**15, le=2**24, description="bytes from 32768 to 16777216")
    """The largest WebSocket message a client may send."""
    head_bytes: int = Field(2**14, ge=2**11, le=2**20, description="bytes from 2048 to 1048576")
    """The largest head of an HTTP request."""
    queue_commands: int = Field(10_000, ge=1, le=10_000_000, description="a number from 1 to 10000000")
    """How many commands may wait for the journal before the server answers `busy`."""
    queue_bytes: int = Field(16 * 2**20, ge=2**16, le=2**33, description="bytes from 65536 to 8589934592")
    """How many bytes of commands may wait for the journal before the server answers `busy`."""

    outbound_allow: Destinations = Field((), description="networks, addresses or host names, separated by commas")
    """Where requests to addresses that users choose (webhooks) may go besides public addresses. Set it when a
    receiver is in your own network. Users can then make the server send requests there."""
    outbound_ports: Ports = Field(
        "80,443,8080,8443", description="ports and ranges of ports, such as 80,443,8000-8099, separated by commas"
    )
    """The ports that requests to addresses that users choose may use."""

    metrics_token: SecretStr | None = Field(None, min_length=16, description="at least 16 characters")
    """A bearer token that opens `/metrics` to other machines. Without one, only this machine may read it."""
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug, info, warning or error")
    """The least severe level that is logged."""
    log_format: Literal["auto", "json", "text"] = Field("auto", description="auto, json or text")
    """One JSON object per line, or text for people; `auto` is text on a terminal."""

    _fixed: dict[str, Fixed] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use arguments before the environment, and no other source."""
        return init_settings, env_settings

    def note_fixed(self, found: Mapping[str, Fixed]) -> None:
        """Note where values come from."""
        self._fixed.update(found)

    @property
    def fixed(self) -> Mapping[str, Fixed]:
        """The settings of the site that were given at start, and where they come from.

        The database can't change them.
        """
        return {name: self._fixed.get(name) or _direct(name) for name in NAMES if name in self.model_fields_set}

    @property
    def database(self) -> str:
        """The database's URL; SQLite in the data folder unless one was given."""
        return self.database_url or f"sqlite:///{self.data.absolute() / 'hubbub.db'}"

    @property
    def bus_kind(self) -> str | None:
        """Which kind of bus there is: `nats`, `postgresql` or none."""
        return None if self.bus_url is None else "postgresql" if self.bus_url == "postgresql" else "nats"

    def check_bus(self) -> None:
        """Check that the settings fit a site with a bus, if there is one. Raises WrongSetting."""
        given = [name for name in ("bus_ca", "bus_certificate", "bus_key", "bus_credentials") if getattr(self, name)]
        if given and (self.bus_url is None or self.bus_url == "postgresql"):
            raise WrongSetting(f"{PREFIX}{given[0].upper()} needs a {PREFIX}BUS_URL with a NATS server.")
        if self.bus_key is not None and self.bus_certificate is None:
            raise WrongSetting(f"{PREFIX}BUS_KEY needs {PREFIX}BUS_CERTIFICATE.")
        if self.bus_url is None:
            return
        if self.database.startswith("sqlite"):
            raise WrongSetting(
                f"{PREFIX}BUS_URL needs a PostgreSQL database: set {PREFIX}DATABASE_URL. SQLite has one server."
            )

    def check_workers(self) -> None:
        """Check that several workers can be one site. Raises WrongSetting."""
        if self.workers == 1:
            return
        if self.database.startswith("sqlite"):
            raise WrongSetting(
                f"{self.workers} workers need a PostgreSQL database and a bus: set {PREFIX}DATABASE_URL and "
                f"{PREFIX}BUS_URL. With SQLite, set {PREFIX}WORKERS=1."
            )
        if self.bus_url is None:
            raise WrongSetting(
                f"{self.workers} workers need a bus: set {PREFIX}BUS_URL, for example to postgresql. Without one, set "
                f"{PREFIX}WORKERS=1."
            )

    @property
    def public_origin(self) -> str | None:
        """The Origin of Hubbub's own pages: `public_url` without its path."""
        return self.public_url.removesuffix(self.root_path) if self.public_url else None

    @property
    def host_names(self) -> list[str]:
        """The names in `Host` headers of requests to this server, besides addresses and localhost."""
        known = [urlsplit(url).hostname for url in (self.public_url, *self.origins) if url]
        return [name for name in (*known, self.host.lower()) if name]

    @property
    def root_path(self) -> str:
        """The path of the server for browsers, such as `/chat`; empty at a host's root."""
        return urlsplit(self.public_url).path if self.public_url else ""

    @property
    def address(self) -> str:
        """The address browsers use, without a final slash, as far as the settings tell."""
        if self.public_url:
            return self.public_url
        host = "localhost" if self.host in EVERYWHERE else f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def is_plain_http(self) -> bool:
        """Whether passwords cross a network without encryption, as far as the settings tell."""
        if self.public_url:
            parts = urlsplit(self.public_url)
            return parts.scheme == "http" and not _is_this_machine(parts.hostname or "")
        return not _is_this_machine(self.host)

    @property
    def outbound_port_ranges(self) -> tuple[range, ...]:
        """`outbound_ports`, parsed."""
        return _parse_ports(self.outbound_ports)

    @property
    def connections_limit(self) -> int:
        """The connection limit: `connections_max`, or 80 % of the open files allowed."""
        if self.connections_max is not None:
            return self.connections_max
        import resource  # here, since Windows has no such module: there `connections_max` has to be set

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return 10_000_000 if soft == resource.RLIM_INFINITY else max(1, soft * 8 // 10)


def load(
    flags: Mapping[str, object], config: Path | None = None, pairs: Collection[str] = ()
) -> tuple[Settings, list[str]]:
    """Return the settings from all sources, and warnings about unknown variables.

    `flags` are those that were given, `pairs` are the names among them that were given with `--set`;
    `config` (else `HUBBUB_CONFIG`) must exist, `hubbub.toml` in
    the working folder need not. Raises WrongSetting.
    """
    path, data = _read_config(config)
    given = {key: value for key, value in flags.items() if value is not None}
    present = {key.upper() for key, value in os.environ.items() if value}
    # Pass only values that no variable overrides, since arguments take precedence over the
    # environment.
    lower = {key: value for key, value in data.items() if PREFIX + key.upper() not in present}
    try:
        settings = Settings(**{**lower, **given})
    except ValidationError as error:
        sources = {key: _flag(key, pairs) for key in given}
        raise WrongSetting(_sentence(error, sources, present, path)) from None
    settings.note_fixed({name: Fixed("file", f"the key {name} in {path.name}") for name in lower})
    settings.note_fixed({name: Fixed("flag", f"the flag {_flag(name, pairs)}") for name in given})
    return settings, _unknown_variables()


def _flag(key: str, pairs: Collection[str]) -> str:
    return f"--set {key}=…" if key in pairs else f"--{key.replace('_', '-')}"


def from_arguments(arguments: Mapping[str, Any], base: Settings | None = None) -> Settings:
    """Return settings with the arguments of a host application, which override `base` or the variables.

    Raises ValidationError.
    """
    kept = {} if base is None else {name: getattr(base, name) for name in base.model_fields_set}
    settings = Settings(**{**kept, **arguments})
    if base is not None:
        settings.note_fixed(base.fixed)
    settings.note_fixed({name: _argument(name) for name in arguments})
    return settings


def _direct(name: str) -> Fixed:
    """Return where a value comes from that `load` has not read."""
    variable = PREFIX + name.upper()
    present = any(key.upper() == variable and value for key, value in os.environ.items())
    return Fixed("environment", f"the variable {variable}") if present else _argument(name)


def _argument(name: str) -> Fixed:
    return Fixed("argument", f"the argument {name}= of the application that Hubbub is mounted in")


def _check_writers(path: Path) -> None:
    """Refuse a settings file that another user of the machine can write. Raises WrongSetting, OSError.

    It decides about addresses, databases and who may sign up, and it is read from the working folder.
    """
    found = path.stat()
    if os.name != "posix":
        return
    strangers = found.st_uid not in (0, os.geteuid())
    of_group = found.st_mode & 0o020 and found.st_gid not in (0, os.getegid())
    if strangers or of_group or found.st_mode & 0o002:
        raise WrongSetting(
            f"Other users can write the settings file {path}. Make it your own (chown) and run: chmod go-w {path}"
        )


def _read_config(config: Path | None) -> tuple[Path, dict[str, Any]]:
    named = config or (Path(os.environ["HUBBUB_CONFIG"]) if os.environ.get("HUBBUB_CONFIG") else None)
    path = named or Path(CONFIG)
    try:
        _check_writers(path)
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named is None:
            return path, {}
        raise WrongSetting(f"The settings file {path} does not exist.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSetting(f"The settings file {path} cannot be read: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise WrongSetting(f"The settings file {path} is not valid TOML: {error}.") from None
    for key in data:
        if key not in Settings.model_fields:
            raise WrongSetting(f"{path} has an unknown setting {key!r}.{_suggestion(key, Settings.model_fields)}")
    return path, data


def _sentence(error: ValidationError, flags: Mapping[str, str], present: set[str], path: Path) -> str:
    first = error.errors()[0]
    key = str(first["loc"][0])
    variable = PREFIX + key.upper()
    if key in flags:
        source = flags[key]
    elif variable in present:
        source = f"The variable {variable}"
    else:
        source = f"The key {key} in {path}"
    value = "" if key in SECRET else f" {_short(first['input'])}"
    field = Settings.model_fields.get(key)
    allowed = f"; allowed: {field.description}" if field else ""
    return f"{source} has an invalid value{value}{allowed}."


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def _unknown_variables() -> list[str]:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return [
        f"The variable {name} is not a known setting.{_suggestion(name, known)}"
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name not in known | NOT_SETTINGS
    ]


def _suggestion(name: str, known: Mapping[str, object] | set[str]) -> str:
    found = get_close_matches(name, list(known), n=1)
    return f" Did you mean {found[0]}?" if found else ""
