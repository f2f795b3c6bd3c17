"""The unit, the Dockerfile, the Compose file and the chart: parsed, and compared with docs and server."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubbub.settings import PREFIX, Settings
from tests.deploy.rendered import RENDERED, ROOT, digest
from tests.deploy.unit import UNIT, service

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
DEPLOYING = (ROOT / "docs" / "deploying.md").read_text()
MAX_EXPOSURE = 1.2
HEALTH = ("/health", "/health/ready")


def is_setting(name: str) -> bool:
    return name.removeprefix(PREFIX).lower() in Settings.model_fields


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} on this machine (Debian: apt-get install systemd)")
    return found


# -- systemd


def test_the_operations_page_shows_the_unit_as_it_is() -> None:
    (shown,) = re.findall(r"^```ini\n(\[Unit\].*?)^```$", OPERATIONS, re.DOTALL | re.MULTILINE)
    assert shown == UNIT.read_text()


def test_the_unit_restarts_a_failed_server_but_not_one_with_wrong_settings() -> None:
    assert service("Restart") == ["on-failure"]
    assert int(service("RestartSec")[0]) > 0
    assert service("RestartPreventExitStatus") == ["2"]
    drain = Settings.model_fields["drain_seconds"].default
    assert int(service("TimeoutStopSec")[0]) > 2 * drain


def analyse(command: str, folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze on a unit with a program that exists."""
    path = folder / "hubbub.service"
    path.write_text(text.replace("/opt/hubbub/bin/hubbub", "/bin/true"))
    line = [program("systemd-analyze"), command, *options, str(path)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    done = analyse("verify", tmp_path, UNIT.read_text(), "--man=no")
    assert "hubbub.service" not in done.stderr, done.stderr


def test_control_systemd_reports_an_unknown_directive(tmp_path: Path) -> None:
    wrong = UNIT.read_text().replace("RestartSec=", "RestartSecs=")
    done = analyse("verify", tmp_path, wrong, "--man=no")
    assert "RestartSecs" in done.stderr


def exposure(folder: Path, text: str) -> float:
    done = analyse("security", folder, text, "--offline=yes")
    found = re.search(r"Overall exposure level for hubbub.service: ([\d.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    return float(found[1])


def test_the_unit_has_the_exposure_that_the_operations_page_states(tmp_path: Path) -> None:
    assert exposure(tmp_path, UNIT.read_text()) <= MAX_EXPOSURE
    assert f"an exposure of {MAX_EXPOSURE} " in OPERATIONS


def test_control_a_unit_without_its_filters_has_a_higher_exposure(tmp_path: Path) -> None:
    weaker = re.sub(r"^(SystemCallFilter|CapabilityBoundingSet)=.*\n", "", UNIT.read_text(), flags=re.MULTILINE)
    assert exposure(tmp_path, weaker) > MAX_EXPOSURE


# -- the image


def test_the_image_sets_only_settings_that_exist() -> None:
    names = set(re.findall(r"\b(HUBBUB_[A-Z_]+)=", DOCKERFILE))
    assert names >= {"HUBBUB_HOST", "HUBBUB_DATA", "HUBBUB_PORT"}
    assert all(map(is_setting, names))


def test_the_image_runs_as_a_user_and_installs_hashed_packages_only() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (\w+)$", last, re.MULTILINE) == ["hubbub"]
    installs = re.findall(r"pip install [^\n\\]*", DOCKERFILE)
    assert len(installs) == 3
    for line in installs:
        assert "--require-hashes" in line or "--no-deps --no-index" in line, line


def test_the_image_checks_its_health_by_a_route_of_the_server() -> None:
    (command,) = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert HEALTH[1] in json.loads(command)[-1]


def test_the_requirements_of_the_image_are_those_of_the_package() -> None:
    """All versions are the tested ones, and nothing that the package needs is missing."""
    tested = pins("dev")
    assert {name: version for name, version in pins("image").items() if tested.get(name, version) != version} == {}
    assert pins("runtime").items() <= pins("image").items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert extras["cluster"] == ["hubbub[server,postgresql,nats]"]
    parts = (extras[name] for name in ("uvicorn", "server", "postgresql", "nats"))
    names = {re.split(r"[\[<>=; ]", wanted)[0] for wanted in sum(parts, project["dependencies"])}
    assert names - {"hubbub"} <= pins("image").keys()


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", text, re.MULTILINE))


def test_the_build_gets_all_files_that_the_package_is_made_of() -> None:
    kept = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert all((ROOT / path).exists() for path in kept)
    copied = re.findall(r"requirements/\w+\.txt", DOCKERFILE)
    assert {*copied, "pyproject.toml", "hatch_build.py", "scripts/node.py", "src/hubbub", "web"} <= set(kept)


# -- Compose


def test_the_compose_file_uses_settings_and_volumes_that_exist() -> None:
    hubbub = COMPOSE["services"]["hubbub"]
    assert all(map(is_setting, hubbub["environment"]))
    assert hubbub["read_only"] is True
    assert hubbub["volumes"] == ["data:/data"]
    assert f"HUBBUB_DATA={'/data'}" in DOCKERFILE
    named = {volume.partition(":")[0] for each in COMPOSE["services"].values() for volume in each.get("volumes", ())}
    assert {name for name in named if not name.startswith(".")} == set(COMPOSE["volumes"])


def test_the_nodes_of_the_compose_file_share_a_database_and_a_bus_and_no_volume() -> None:
    services = COMPOSE["services"]
    nodes = {name: each for name, each in services.items() if name.startswith("node")}
    assert len(nodes) == 3
    assert len({tuple(node["volumes"]) for node in nodes.values()}) == 3
    hubbub = services["hubbub"]
    hardening = ("read_only", "cap_drop", "security_opt", "tmpfs", "ulimits", "stop_grace_period", "build", "image")
    for node in nodes.values():
        assert all(map(is_setting, node["environment"]))
        assert "@database/" in node["environment"]["HUBBUB_DATABASE_URL"]
        assert node["environment"]["HUBBUB_BUS_URL"].endswith("@bus:4222")
        assert "ports" not in node
        assert all(node[field] == hubbub[field] for field in hardening)
    assert {name for name, each in services.items() if each.get("profiles") == ["nodes"]} == {*services} - {"hubbub"}
    assert "ports" not in services["database"]
    assert "ports" not in services["bus"]
    upstreams = re.findall(r"(\w+):8000", (ROOT / "deploy" / "Caddyfile").read_text())
    assert upstreams == list(nodes) == services["proxy"]["depends_on"]
    assert "health_uri /health/ready\n" in (ROOT / "deploy" / "Caddyfile").read_text()


# -- the chart


def rendered(name: str) -> dict[str, Any]:
    found = json.loads(RENDERED.read_text())[name]
    return {document["kind"]: document for document in found}


def test_the_rendered_chart_is_that_of_the_chart() -> None:
    assert json.loads(RENDERED.read_text())["chart"] == digest(), "run scripts/chart"


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ("default", {"StatefulSet", "Service", "NetworkPolicy"}),
        ("full", {"StatefulSet", "Service", "NetworkPolicy", "Ingress"}),
        ("nodes", {"StatefulSet", "Service", "NetworkPolicy", "PodDisruptionBudget"}),
    ],
)
def test_the_chart_runs_restricted_servers(values: str, kinds: set[str]) -> None:
    found = rendered(values)
    assert set(found) == kinds
    spec = found["StatefulSet"]["spec"]
    assert spec["replicas"] == (3 if values == "nodes" else 1)
    pod = spec["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"--uid {pod['securityContext']['runAsUser']} " in DOCKERFILE
    assert pod["enableServiceLinks"] is False
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert all(is_setting(entry["name"]) for entry in container["env"])
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] in HEALTH
    assert found["Service"]["spec"]["selector"].items() <= spec["template"]["metadata"]["labels"].items()


def test_the_start_probe_gives_postgresql_its_time() -> None:
    (container,) = rendered("full")["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    probe = container["startupProbe"]
    wait = Settings.model_fields["database_wait_seconds"].default
    assert probe["periodSeconds"] * probe["failureThreshold"] > 2 * wait


def test_a_chart_on_postgresql_reads_the_address_from_a_secret_and_may_connect() -> None:
    found = rendered("full")
    (container,) = found["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    (entry,) = [entry for entry in container["env"] if entry["name"] == "HUBBUB_DATABASE_URL"]
    assert entry["valueFrom"]["secretKeyRef"] == {"name": "chat-database", "key": "url"}
    dns, postgresql = found["NetworkPolicy"]["spec"]["egress"]
    assert {entry["port"] for entry in dns["ports"]} == {53}
    assert postgresql == {"ports": [{"port": 5432}]}


def test_a_chart_of_several_nodes_drains_one_after_the_other_and_reaches_the_bus() -> None:
    found = rendered("nodes")
    spec = found["StatefulSet"]["spec"]
    assert spec["updateStrategy"] == {"type": "RollingUpdate"}
    assert spec["minReadySeconds"] > 0
    assert found["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    selector = found["PodDisruptionBudget"]["spec"]["selector"]
    assert selector == spec["selector"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert container["lifecycle"]["preStop"]["exec"]["command"][0] == "sleep"
    before = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    drain = Settings.model_fields["drain_seconds"].default
    assert pod["terminationGracePeriodSeconds"] > before + 2 * drain
    (entry,) = [entry for entry in container["env"] if entry["name"] == "HUBBUB_BUS_URL"]
    assert entry["valueFrom"]["secretKeyRef"] == {"name": "chat-bus", "key": "url"}
    ports = [[each["port"] for each in rule["ports"]] for rule in found["NetworkPolicy"]["spec"]["egress"]]
    assert [5432] in ports
    assert [4222] in ports


def test_the_network_policy_allows_webhooks_on_the_ports_that_the_server_allows() -> None:
    _, public = rendered("default")["NetworkPolicy"]["spec"]["egress"]
    allowed = range_of_ports(Settings().outbound_port_ranges)
    assert {entry["port"] for entry in public["ports"]} == allowed
    assert "10.0.0.0/8" in public["to"][0]["ipBlock"]["except"]


def range_of_ports(ranges: tuple[range, ...]) -> set[int]:
    return {port for ports in ranges for port in ports}


def test_the_deploying_page_names_settings_and_files_that_exist() -> None:
    assert all(map(is_setting, re.findall(r"\b(HUBBUB_[A-Z_]+)\b", DEPLOYING)))
    for path in re.findall(r"`((?:deploy|scripts)/[\w./]+)`", DEPLOYING):
        assert (ROOT / path).exists(), path
