"""What an application developer imports: the fan-out class and the settings. Loaded when first asked for."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubbub.gateways.websocket.manager import ConnectionManager
    from hubbub.settings import Settings

__all__ = ["ConnectionManager", "Settings", "__version__"]
__version__ = version("hubbub")

_PLACES = {"ConnectionManager": "hubbub.gateways.websocket.manager", "Settings": "hubbub.settings"}


def __getattr__(name: str) -> object:
    """PEP 562: nobody who needs one module of ours pays for all of them."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
