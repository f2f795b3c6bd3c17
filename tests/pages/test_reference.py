"""The API reference has every public name."""

import re
from importlib import import_module

from tests.house.api import MODULES
from tests.support.documents import DOCS

SHOWN = [
    name
    for page in sorted((DOCS / "reference").glob("*.md"))
    for name in re.findall(r"^::: (\S+)$", page.read_text(), re.M)
]


def home(module: str, name: str) -> str:
    """Return where a name is defined, as `module.name`."""
    value = getattr(import_module(module), name)
    return f"{getattr(value, '__module__', module)}.{getattr(value, '__qualname__', name)}"


def places() -> set[str]:
    """Return the modules that the reference shows, and where the classes that it shows are defined."""
    found = set(SHOWN)
    for each in SHOWN:
        module, _, name = each.rpartition(".")
        if name[0].isupper():
            found.add(home(module, name))
    return found


def shown(module: str, name: str) -> bool:
    wanted = {f"{module}.{name}", home(module, name)}
    return any(each == place or each.startswith(f"{place}.") for each in wanted for place in places())


def test_each_public_name_is_in_the_reference() -> None:
    public = [(module, name) for module in MODULES for name in import_module(module).__all__ if name != "__version__"]
    assert len(public) > 20
    assert [f"{module}.{name}" for module, name in public if not shown(module, name)] == []


def test_control_a_name_that_is_not_in_the_reference_is_found() -> None:
    assert shown("hubbub", "Client")
    assert not shown("hubbub.client.inbox", "Inbox")
