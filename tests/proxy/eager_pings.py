"""Run `hubbub` with pings every PING_EVERY seconds.

Usage: `-m tests.proxy.eager_pings`.
"""

import os

from hubbub.cli import main
from hubbub.gateways.native import connection as native
from hubbub.gateways.native import listener

if __name__ == "__main__":
    for module in (listener, native):
        vars(module)["PING_EVERY"] = float(os.environ["PING_EVERY"])
    main()
