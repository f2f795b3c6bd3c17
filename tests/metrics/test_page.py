"""docs/operations.md documents each metric, and everything it names exists."""

import re
from pathlib import Path

from hubbub.settings import Settings, load
from tests.support.world import World

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
NAME = re.compile(r"hubbub_[a-z_]+")


def section(heading: str) -> str:
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    return found[1]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the section's table, without its header."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def families(world: World) -> dict[str, str]:
    """Return name and kind of every metric of Hubbub at /metrics."""
    lines = world.services.metrics.render().decode().splitlines()
    found = [line.split() for line in lines if line.startswith("# TYPE hubbub_")]
    return {name: kind for _, _, name, kind in found}


async def test_every_metric_is_documented_and_the_page_names_no_other(world: World) -> None:
    documented = {name.strip("`"): kind for name, kind, *_ in rows("Metrics")}
    assert documented == families(world)
    assert len(documented) == len(rows("Metrics"))


async def test_names_follow_the_conventions_of_prometheus(world: World) -> None:
    for name, kind in families(world).items():
        assert name.endswith("_total") is (kind == "counter"), name
        assert kind != "histogram" or name.endswith(("_seconds", "_commands")), name


async def test_alerts_use_metrics_that_exist(world: World) -> None:
    known = set(families(world)) | {f"{name}_bucket" for name in families(world)}
    asked = set(NAME.findall(section("Alerts")))
    assert len(asked) > 8
    assert asked <= known


def test_every_setting_on_the_page_exists() -> None:
    known = {f"HUBBUB_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"HUBBUB_[A-Z_]+[A-Z]", PAGE))
    assert len(named) > 8
    assert named <= known


def test_the_settings_of_the_example_are_valid(tmp_path: Path) -> None:
    found = re.search(r"^```sh\n((?:HUBBUB_.*\n)+)```", PAGE, re.MULTILINE)
    assert found is not None
    given = dict(line.removeprefix("HUBBUB_").lower().split("=", 1) for line in found[1].splitlines())
    settings, _ = load({**given, "data": tmp_path})
    assert (settings.public_url, len(settings.trusted_proxies)) == ("https://chat.example.org", 1)


def test_every_event_in_the_table_of_logs_is_logged() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "src" / "hubbub").rglob("*.py"))
    logged = set(re.findall(r"(?:\.(?:info|warning|error|exception)|\blog\w*)\(\s*\"([a-z_]+)\"", sources))
    named = {name for names, _ in rows("Logs") for name in re.findall(r"`([a-z_]+)`", names)}
    assert named <= logged


def test_every_link_on_the_page_has_a_target() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-")
        for line in re.findall(r"^##+ (.*)$", PAGE, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        else:
            assert (ROOT / "docs" / target.partition("#")[0]).exists(), target
