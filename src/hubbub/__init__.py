"""The public Python API, loaded lazily."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubbub.client import Client
    from hubbub.domain.identities import Identity
    from hubbub.gateways.manager.bus import BusOptions
    from hubbub.gateways.manager.manager import ConnectionManager
    from hubbub.gateways.uvicorn_protocols import BoundedHttpProtocol, WebSocketProtocol
    from hubbub.mounted import Hubbub
    from hubbub.settings import Settings

__all__ = [
    "BoundedHttpProtocol",
    "BusOptions",
    "Client",
    "ConnectionManager",
    "Hubbub",
    "Identity",
    "Settings",
    "WebSocketProtocol",
    "__version__",
]
__version__: str

_MODULES = {
    "BoundedHttpProtocol": "hubbub.gateways.uvicorn_protocols",
    "BusOptions": "hubbub.gateways.manager.bus",
    "Client": "hubbub.client",
    "ConnectionManager": "hubbub.gateways.manager.manager",
    "Hubbub": "hubbub.mounted",
    "Identity": "hubbub.domain.identities",
    "Settings": "hubbub.settings",
    "WebSocketProtocol": "hubbub.gateways.uvicorn_protocols",
}


def __getattr__(name: str) -> object:
    """Import a public name on first access (PEP 562): others are not loaded."""
    if name == "__version__":
        from importlib.metadata import version

        return version("hubbub")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
