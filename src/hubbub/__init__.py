"""The public Python API, loaded lazily."""

from importlib import import_module
from typing import TYPE_CHECKING

from hubbub.version import __version__

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

_MODULES = {
    "BoundedHttpProtocol": ("hubbub.gateways.uvicorn_protocols", "uvicorn"),
    "BusOptions": ("hubbub.gateways.manager.bus", ""),
    "Client": ("hubbub.client", "client"),
    "ConnectionManager": ("hubbub.gateways.manager.manager", ""),
    "Hubbub": ("hubbub.mounted", "server"),
    "Identity": ("hubbub.domain.identities", "server"),
    "Settings": ("hubbub.settings", "server"),
    "WebSocketProtocol": ("hubbub.gateways.uvicorn_protocols", "uvicorn"),
}
"""The module of each name, and the extra that it needs."""


def __getattr__(name: str) -> object:
    """Import a public name on first access (PEP 562): others are not loaded.

    Raises ImportError, which names the extra, if a package is not installed.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, extra = _MODULES[name]
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if extra:
            from hubbub import extras

            raise extras.explain(error, f"hubbub.{name}", extra) from None
        raise
