"""The handlers of commands and the queries, one noun per file.

A handler runs inside a transaction. The guard has checked what the command requires. The handler
checks the actor's permissions, then writes, appends events to the transaction and returns the answer
for the actor. It raises before it writes. See `shared.handlers`.
"""

from importlib import import_module
from pkgutil import iter_modules

from hubbub.features.shared.handlers import HANDLERS

__all__ = ["HANDLERS"]

for module in iter_modules(__path__, f"{__name__}."):
    import_module(module.name)  # registers the handlers of the feature
