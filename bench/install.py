"""Installs the peers that are not Python packages into bench/out.

Node's packages come from npm, Mosquitto from Debian.

A peer that cannot be installed is reported with a visible warning and left out of the measurements.
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
    """Install what is missing. A failure does not end the measurements."""
    BUILD.mkdir(exist_ok=True)
    try:
        _install_node()
    except (OSError, subprocess.CalledProcessError, SystemExit) as error:
        shutil.rmtree(NODE, ignore_errors=True)
        _warn(f"npm could not install ws and socket.io ({error}): they are LEFT OUT of the measurements")
    try:
        if mosquitto() is None:
            _unpack_mosquitto()
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(MOSQUITTO, ignore_errors=True)
        _warn(f"Mosquitto is LEFT OUT of the measurements ({error}). On Debian: apt-get install mosquitto")


def node() -> str | None:
    """Return the node executable of npm; None if the packages are not installed."""
    if not (NODE / "node_modules").exists():
        return None
    return shutil.which("node", path=npm()[1]["PATH"])


def mosquitto() -> str | None:
    """Return the system's broker, or the unpacked one; None if there is neither."""
    unpacked = str(BROKER) if BROKER.exists() else None
    return shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto") or unpacked


def versions() -> dict[str, str]:
    """Return the versions of the installed peers."""
    found: dict[str, str] = {}
    if (broker := mosquitto()) is not None:
        environment = {**os.environ, "LD_LIBRARY_PATH": libraries()}
        printed = subprocess.run([broker, "-h"], capture_output=True, text=True, env=environment, check=False).stdout
        found["mosquitto"] = printed.partition("version ")[2].partition("\n")[0]
    if (runtime := node()) is not None:
        printed = subprocess.run([runtime, "--version"], capture_output=True, text=True, check=True).stdout
        found["node"] = printed.strip().removeprefix("v")
        for name in ("ws", "socket.io"):
            package = json.loads((NODE / "node_modules" / name / "package.json").read_text())
            found[name] = str(package["version"])
    return found


def libraries() -> str:
    """Return the library path of the unpacked broker."""
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
    """Unpack the package instead of installing it.

    Debian would start a service, and this needs no root.
    """
    MOSQUITTO.mkdir(exist_ok=True)
    listed = subprocess.run(["apt-cache", "depends", "mosquitto"], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"^ *Depends: (lib[a-z0-9.+-]+)$", listed, re.MULTILINE)
    wanted = ["mosquitto", *(name for name in libraries if not _has_package(name))]
    subprocess.run(["apt-get", "-qq", "download", *wanted], cwd=MOSQUITTO, check=True, stderr=subprocess.DEVNULL)
    for package in sorted(MOSQUITTO.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(package), "."], cwd=MOSQUITTO, check=True)
        package.unlink()
    if not BROKER.exists():
        raise FileNotFoundError(f"the package contains no {BROKER.name}")


def _has_package(name: str) -> bool:
    return subprocess.run(["dpkg", "-s", name], capture_output=True, check=False).returncode == 0


def _warn(sentence: str) -> None:
    line = "*" * 100
    print(line, f"*  {sentence}", line, sep="\n", file=sys.stderr, flush=True)
