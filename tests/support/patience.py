"""Retry requests that a busy server refused."""

from typing import Any

import httpx

ATTEMPTS = 3


def patient_post(client: httpx.Client, url: str, **body: Any) -> httpx.Response:
    """Post again after 503.

    PostgreSQL cancelled the statement while the machine stood still, and nothing was done.
    """
    for _ in range(ATTEMPTS):
        answer = client.post(url, **body)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
    return answer
