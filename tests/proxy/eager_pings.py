"""`hubbub` that pings every PING_EVERY seconds: what a test has time to wait for. Run as a module, like `-m hubbub`."""

import os

from hubbub.cli import main
from hubbub.gateways.websocket import listener, native

if __name__ == "__main__":
    for module in (listener, native):
        vars(module)["PING_EVERY"] = float(os.environ["PING_EVERY"])
    main()
