"""`hubbub` with webhooks that give up an event at the first refusal, not after an hour.

Run as `python -m tests.support.impatient_webhooks serve …`. The product has no setting for this.
"""

from hubbub.cli import main
from hubbub.engine import webhooks

if __name__ == "__main__":
    webhooks.MOST_REFUSALS = 1
    main()
