"""Settings: which source wins, and what whoever gets one wrong is told."""

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


def test_a_flag_goes_before_the_environment_and_that_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write("port = 1\nsignup = 'open'\nhost = '::1'")
    monkeypatch.setenv("HUBBUB_PORT", "2")
    monkeypatch.setenv("HUBBUB_SIGNUP", "closed")
    settings, warnings = load({"port": 3})
    assert (settings.port, settings.signup, settings.host) == (3, "closed", "::1")
    assert warnings == []


@pytest.mark.parametrize(("value", "meant"), [("off", False), ("on", True), ("0", False), ("1", True), ("false", False),
                                              ("true", True)])  # fmt: skip
def test_a_switch_may_be_said_in_several_ways(monkeypatch: pytest.MonkeyPatch, value: str, meant: bool) -> None:
    monkeypatch.setenv("HUBBUB_RATE_LIMITS", value)
    assert load({})[0].rate_limits is meant


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    write("port = 1")
    monkeypatch.setenv("HUBBUB_PORT", "")
    assert load({})[0].port == 1


def test_networks_and_origins_are_lists_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
    monkeypatch.setenv("HUBBUB_ORIGINS", "https://A.example,http://b.example:80/")
    settings, _ = load({})
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))
    assert settings.origins == ("https://a.example", "http://b.example")


def test_a_file_may_hold_lists_too() -> None:
    write("trusted_proxies = ['10.0.0.1']")
    assert load({})[0].trusted_proxies == (ip_network("10.0.0.1"),)


def told(flags: dict[str, object], config: Path | None = None) -> str:
    with pytest.raises(WrongSetting) as caught:
        load(flags, config)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_a_wrong_value_is_told_with_its_key_its_source_and_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_SIGNUP", "opne")
    assert told({}) == "The variable HUBBUB_SIGNUP has an invalid value 'opne'; allowed: invite, open or closed."
    assert told({"signup": "no"}).startswith("--signup has an invalid value 'no'; allowed: ")
    monkeypatch.delenv("HUBBUB_SIGNUP")
    path = write("signup = 'maybe'")
    assert told({}).startswith(f"The key signup in {path} has an invalid value 'maybe'; allowed: ")


def test_a_wrong_value_that_may_hold_a_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_DATABASE_URL", "mysql://somebody:swordfish@db")
    assert "swordfish" not in told({})
    monkeypatch.setenv("HUBBUB_DATABASE_URL", "")
    monkeypatch.setenv("HUBBUB_METRICS_TOKEN", "swordfish")
    assert "swordfish" not in told({})


@pytest.mark.parametrize("good", ["sqlite:////x.db", "sqlite:///x.db", "postgresql+psycopg://me:pw@db/hubbub"])
def test_a_database_is_a_sqlite_file_or_postgresql(good: str) -> None:
    assert load({"database_url": good})[0].database == good


@pytest.mark.parametrize("wrong", ["sqlite:///", "sqlite://", "postgresql://db/hubbub", "postgresql+psycopg://", "x"])
def test_another_database_is_told_what_is_allowed(wrong: str) -> None:
    assert told({"database_url": wrong}).startswith(
        "--database-url has an invalid value; allowed: sqlite:///PATH or postgresql+psycopg://"
    )


def test_a_bus_that_would_not_be_used_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_BUS_URL", "nats://127.0.0.1:4222")
    assert told({}) == (
        "The variable HUBBUB_BUS_URL has an invalid value; allowed: none yet, since this version runs as one process."
    )


def test_a_token_does_not_show_where_settings_are_printed() -> None:
    assert "swordfish" not in repr(load({"metrics_token": "swordfish-swordfish"})[0])


def test_an_unknown_key_in_the_file_is_an_error_with_the_nearest_name() -> None:
    path = write("singup = 'open'")
    assert told({}) == f"{path} has an unknown setting 'singup'. Did you mean signup?"


def test_an_unknown_variable_is_a_warning_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_GUEST", "on")
    monkeypatch.setenv("HUBBUB_CI", "1")
    assert load({})[1] == ["The variable HUBBUB_GUEST is not a known setting. Did you mean HUBBUB_GUESTS?"]


def test_a_file_that_is_named_must_be_there_and_be_toml(monkeypatch: pytest.MonkeyPatch) -> None:
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
    ],
)
def test_a_limit_holds_at_its_edge(name: str, good: object, bad: object) -> None:
    load({name: good})
    assert told({name: bad}).startswith(f"--{name.replace('_', '-')} ")


def test_every_setting_says_what_is_allowed() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_database_is_in_the_data_folder_unless_it_is_elsewhere() -> None:
    assert load({"data": "d"})[0].database == f"sqlite:///{Path.cwd()}/d/hubbub.db"
    assert load({"database_url": "sqlite:////x.db"})[0].database == "sqlite:////x.db"


def test_the_address_for_links_is_the_public_one_if_there_is_one() -> None:
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
def test_the_public_address_is_an_origin_and_a_root_path(url: str, origin: str, root_path: str) -> None:
    settings, _ = load({"public_url": url})
    assert (settings.public_origin, settings.root_path) == (origin, root_path)
    assert settings.address == origin + root_path
    assert load({})[0].public_origin is None


def test_the_global_cap_is_four_fifths_of_the_open_files() -> None:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert load({})[0].connections_limit == soft * 8 // 10
    assert load({"connections_max": 7})[0].connections_limit == 7
