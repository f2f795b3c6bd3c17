"""Brings the peers that are no Python packages into bench/out: Node's from npm, Mosquitto from Debian.

Whatever cannot be had is said loudly and left out of the measurements.
"""

from __future__ import annotations

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys

from scripts.node import npm

from bench.load import BUILD, HERE

NODE = BUILD / "node"
MOSQUITTO = BUILD / "mosquitto"
BROKER = MOSQUITTO / "usr/sbin/mosquitto"


def install() -> None:
    """Does what is not done yet; no failure ends the measurements."""
    BUILD.mkdir(exist_ok=True)
    try:
        _install_node()
    except (OSError, subprocess.CalledProcessError, SystemExit) as error:
        shutil.rmtree(NODE, ignore_errors=True)
        _loudly(f"npm could not install ws and socket.io ({error}): they are LEFT OUT")
    try:
        if mosquitto() is None:
            _unpack_mosquitto()
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(MOSQUITTO, ignore_errors=True)
        _loudly(f"no Mosquitto ({error}): it is LEFT OUT. Debian: apt-get install mosquitto")


def node() -> str | None:
    """The node executable that npm runs with; None if the packages are not there."""
    if not (NODE / "node_modules").exists():
        return None
    return shutil.which("node", path=npm()[1]["PATH"])


def mosquitto() -> str | None:
    """The system's broker, or the one that was unpacked."""
    unpacked = str(BROKER) if BROKER.exists() else None
    return shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto") or unpacked


def versions() -> dict[str, str]:
    """Of what is there."""
    found: dict[str, str] = {}
    if (broker := mosquitto()) is not None:
        environment = {**os.environ, "LD_LIBRARY_PATH": libraries()}
        said = subprocess.run([broker, "-h"], capture_output=True, text=True, env=environment, check=False).stdout
        found["mosquitto"] = said.partition("version ")[2].partition("\n")[0]
    if (runtime := node()) is not None:
        said = subprocess.run([runtime, "--version"], capture_output=True, text=True, check=True).stdout
        found["node"] = said.strip().removeprefix("v")
        for name in ("ws", "socket.io"):
            package = json.loads((NODE / "node_modules" / name / "package.json").read_text())
            found[name] = str(package["version"])
    return found


def libraries() -> str:
    """Where the unpacked broker finds its libraries."""
    return ":".join(str(folder) for folder in MOSQUITTO.glob("usr/lib/*-linux-*") if folder.is_dir())


def _install_node() -> None:
    source, lock = HERE / "peers/node", "package-lock.json"
    if (NODE / "node_modules").exists() and filecmp.cmp(source / lock, NODE / lock, shallow=False):
        return
    shutil.rmtree(NODE, ignore_errors=True)
    shutil.copytree(source, NODE)
    command, environment = npm()
    subprocess.run([*command, "ci"], cwd=NODE, env=environment, check=True, stdout=subprocess.DEVNULL)


def _unpack_mosquitto() -> None:
    """Unpacked rather than installed: Debian would start it as a service, and this needs no root."""
    MOSQUITTO.mkdir(exist_ok=True)
    listed = subprocess.run(["apt-cache", "depends", "mosquitto"], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"^ *Depends: (lib[a-z0-9.+-]+)$", listed, re.MULTILINE)
    wanted = ["mosquitto", *(name for name in libraries if not _has_package(name))]
    subprocess.run(["apt-get", "-qq", "download", *wanted], cwd=MOSQUITTO, check=True, stderr=subprocess.DEVNULL)
    for package in sorted(MOSQUITTO.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(package), "."], cwd=MOSQUITTO, check=True)
        package.unlink()
    if not BROKER.exists():
        raise FileNotFoundError(f"no {BROKER.name} in its package")


def _has_package(name: str) -> bool:
    return subprocess.run(["dpkg", "-s", name], capture_output=True, check=False).returncode == 0


def _loudly(sentence: str) -> None:
    line = "*" * 100
    print(line, f"*  {sentence}", line, sep="\n", file=sys.stderr, flush=True)
