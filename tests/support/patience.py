"""Asking again where a server had no time: what people do who are let in a little later."""

from typing import Any

import httpx

ATTEMPTS = 3


def patient_post(client: httpx.Client, url: str, **body: Any) -> httpx.Response:
    """PostgreSQL ends what was under way while the machine stood still; that is told with 503, and nothing was done."""
    for _ in range(ATTEMPTS):
        answer = client.post(url, **body)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
    return answer
