"""Settings: the order of sources, and the messages for wrong values."""

import os
from ipaddress import ip_network
from pathlib import Path

import pytest

from hubbub.settings import Settings, WrongSetting, load


@pytest.fixture(autouse=True)
def clean_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("HUBBUB_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(text: str) -> Path:
    path = Path("hubbub.toml")
    path.write_text(text)
    return path


def test_flags_override_the_environment_and_the_environment_overrides_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write("port = 1\nsignup = 'open'\nhost = '::1'")
    monkeypatch.setenv("HUBBUB_PORT", "2")
    monkeypatch.setenv("HUBBUB_SIGNUP", "closed")
    settings, warnings = load({"port": 3})
    assert (settings.port, settings.signup, settings.host) == (3, "closed", "::1")
    assert warnings == []


@pytest.mark.parametrize(("value", "meant"), [("off", False), ("on", True), ("0", False), ("1", True), ("false", False),
                                              ("true", True)])  # fmt: skip
def test_a_switch_accepts_several_spellings(monkeypatch: pytest.MonkeyPatch, value: str, meant: bool) -> None:
    monkeypatch.setenv("HUBBUB_RATE_LIMITS", value)
    assert load({})[0].rate_limits is meant


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    write("port = 1")
    monkeypatch.setenv("HUBBUB_PORT", "")
    assert load({})[0].port == 1


def test_networks_and_origins_are_comma_separated_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
    monkeypatch.setenv("HUBBUB_ORIGINS", "https://A.example,http://b.example:80/")
    settings, _ = load({})
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))
    assert settings.origins == ("https://a.example", "http://b.example")


def test_destinations_of_requests_are_networks_and_names_and_ports_are_ranges() -> None:
    write("outbound_ports = [80, 443]")
    settings, _ = load({"outbound_allow": "10.0.0.0/8, Hooks.Internal,::1"})
    assert settings.outbound_allow == (ip_network("10.0.0.0/8"), "hooks.internal", ip_network("::1"))
    assert settings.outbound_port_ranges == (range(80, 81), range(443, 444))
    assert load({"outbound_ports": "8000-8099"})[0].outbound_port_ranges == (range(8000, 8100),)


def test_a_settings_file_may_hold_lists() -> None:
    write("trusted_proxies = ['10.0.0.1']")
    assert load({})[0].trusted_proxies == (ip_network("10.0.0.1"),)


def told(flags: dict[str, object], config: Path | None = None) -> str:
    with pytest.raises(WrongSetting) as caught:
        load(flags, config)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_a_wrong_value_is_reported_with_its_key_source_and_allowed_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_SIGNUP", "opne")
    assert told({}) == "The variable HUBBUB_SIGNUP has an invalid value 'opne'; allowed: invite, open or closed."
    assert told({"signup": "no"}).startswith("--signup has an invalid value 'no'; allowed: ")
    monkeypatch.delenv("HUBBUB_SIGNUP")
    path = write("signup = 'maybe'")
    assert told({}).startswith(f"The key signup in {path} has an invalid value 'maybe'; allowed: ")


def test_a_wrong_value_of_a_setting_that_may_hold_a_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_DATABASE_URL", "mysql://user:swordfish@db")
    assert "swordfish" not in told({})
    monkeypatch.setenv("HUBBUB_DATABASE_URL", "")
    monkeypatch.setenv("HUBBUB_METRICS_TOKEN", "swordfish")
    assert "swordfish" not in told({})


@pytest.mark.parametrize("good", ["sqlite:////x.db", "sqlite:///x.db", "postgresql+psycopg://me:pw@db/hubbub"])
def test_sqlite_and_postgresql_urls_are_accepted_as_database(good: str) -> None:
    assert load({"database_url": good})[0].database == good


@pytest.mark.parametrize("wrong", ["sqlite:///", "sqlite://", "postgresql://db/hubbub", "postgresql+psycopg://", "x"])
def test_other_database_urls_are_refused_with_the_allowed_forms(wrong: str) -> None:
    assert told({"database_url": wrong}).startswith(
        "--database-url has an invalid value; allowed: sqlite:///PATH or postgresql+psycopg://"
    )


@pytest.mark.parametrize("good", ["postgresql", "nats://a", "tls://me:pw@a:4222,tls://b", "nats://[::1]:4222"])
def test_addresses_of_nats_and_postgresql_are_accepted_as_bus(good: str) -> None:
    assert load({"bus_url": good})[0].bus_url == good


@pytest.mark.parametrize("wrong", ["redis://a", "nats://", "nats://a/path", "nats://a,tls://b", "nats://a:port", "x"])
def test_other_bus_urls_are_refused_with_the_allowed_forms(wrong: str) -> None:
    assert told({"bus_url": wrong}).startswith("--bus-url has an invalid value; allowed: nats://HOST:PORT or tls://")


def test_the_repr_of_settings_hides_tokens() -> None:
    assert "swordfish" not in repr(load({"metrics_token": "swordfish-swordfish"})[0])


def test_an_unknown_key_in_the_file_is_an_error_that_suggests_the_nearest_name() -> None:
    path = write("singup = 'open'")
    assert told({}) == f"{path} has an unknown setting 'singup'. Did you mean signup?"


def test_an_unknown_variable_is_a_warning_that_suggests_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_GUEST", "on")
    monkeypatch.setenv("HUBBUB_CI", "1")
    assert load({})[1] == ["The variable HUBBUB_GUEST is not a known setting. Did you mean HUBBUB_GUESTS?"]


def test_a_named_settings_file_must_exist_and_be_toml(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told({}, Path("absent.toml")) == "The settings file absent.toml does not exist."
    monkeypatch.setenv("HUBBUB_CONFIG", "other.toml")
    assert "other.toml" in told({})
    Path("other.toml").write_text("signup = open")
    assert "is not valid TOML" in told({})


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("port", 65_535, 65_536),
        ("port", 0, -1),
        ("connections_per_user", 1, 0),
        ("hello_timeout", 3_600, 3_601),
        ("outbox_bytes", 65_536, 65_535),
        ("metrics_token", "x" * 16, "x" * 15),
        ("name", "x" * 64, "x" * 65),
        ("public_url", "https://chat.example.org/", "https://chat.example.org?x"),
        ("public_url", "https://example.org/my/chat/", "https://example.org/my//chat"),
        ("public_url", "https://example.org/apis", "https://example.org/api/chat"),
        ("public_url", "https://example.org/x.y", "https://example.org/../chat"),
        ("origins", "https://example.org", "https://example.org/chat"),
        ("public_url", "http://[::1]:8000", "chat.example.org"),
        ("trusted_proxies", "10.0.0.255", "10.0.0.256"),
        ("outbound_allow", "10.0.0.0/8,::1 Hooks.internal", "10.0.0.1/8"),
        ("outbound_allow", "localhost", "http://localhost"),
        ("outbound_allow", "127.0.0.1", "127.0.1"),
        ("outbound_ports", "1,80-443 65535", "0"),
        ("outbound_ports", "8000-8000", "8001-8000"),
        ("outbound_ports", 443, "65536"),
        ("outbound_ports", [80, 443], "https"),
    ],
)
def test_a_setting_accepts_its_limit_and_refuses_values_beyond_it(name: str, good: object, bad: object) -> None:
    load({name: good})
    assert told({name: bad}).startswith(f"--{name.replace('_', '-')} ")


def test_every_setting_documents_what_is_allowed() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_database_is_in_the_data_folder_by_default() -> None:
    assert load({"data": "d"})[0].database == f"sqlite:///{Path.cwd()}/d/hubbub.db"
    assert load({"database_url": "sqlite:////x.db"})[0].database == "sqlite:////x.db"


def test_links_use_the_public_url_if_it_is_set() -> None:
    assert load({"host": "::1", "port": 1})[0].address == "http://localhost:1"
    assert load({"host": "fe80::2", "port": 1})[0].address == "http://[fe80::2]:1"
    assert load({"public_url": "https://chat.example.org"})[0].address == "https://chat.example.org"


@pytest.mark.parametrize(
    ("url", "origin", "root_path"),
    [
        ("https://Example.org:443/", "https://example.org", ""),
        ("https://example.org/chat/", "https://example.org", "/chat"),
        ("http://[::1]:8000/our/chat", "http://[::1]:8000", "/our/chat"),
    ],
)
def test_the_public_url_splits_into_an_origin_and_a_root_path(url: str, origin: str, root_path: str) -> None:
    settings, _ = load({"public_url": url})
    assert (settings.public_origin, settings.root_path) == (origin, root_path)
    assert settings.address == origin + root_path
    assert load({})[0].public_origin is None


def test_the_default_connection_limit_is_four_fifths_of_the_open_file_limit() -> None:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert load({})[0].connections_limit == soft * 8 // 10
    assert load({"connections_max": 7})[0].connections_limit == 7


@pytest.mark.parametrize("mode", [0o606, 0o602, 0o666, 0o777])
def test_a_settings_file_that_other_users_can_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    """In the working folder, and named; the control is the same file without that permission."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "hubbub.toml"
    file.write_text("port = 8123\n")
    for config in (None, file):
        file.chmod(mode)
        with pytest.raises(WrongSetting, match="chmod go-w"):
            load({}, config)
        file.chmod(mode & ~0o022)
        assert load({}, config)[0].port == 8123


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_settings_file_of_another_user_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "hubbub.toml"
    file.write_text("port = 8123\n")
    file.chmod(0o644)
    os.chown(file, 12_345, -1)
    with pytest.raises(WrongSetting, match="chmod go-w"):
        load({}, file)
    os.chown(file, 0, 12_345)
    assert load({}, file)[0].port == 8123
    file.chmod(0o664)
    with pytest.raises(WrongSetting, match="chmod go-w"):
        load({}, file)
