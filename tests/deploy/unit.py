"""The systemd unit, parsed."""

import re
from pathlib import Path

UNIT = Path(__file__).parents[2] / "deploy" / "hubbub.service"


def service(name: str) -> list[str]:
    """Return all values of a directive, in order."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)
