"""The two ways in which a request fails. Both messages are sentences for the user."""


class RefusedAddress(Exception):
    """The policy does not allow this URL. A retry fails too, unless the settings or the DNS change."""


class RequestFailed(Exception):
    """The request was allowed and did not succeed: DNS, connection, TLS, time or a broken answer. Retry later."""
