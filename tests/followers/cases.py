"""The followers that the contract suite tests. Add yours here."""

from tests.followers.case import FollowerCase
from tests.followers.counting import CountingCase
from tests.followers.recording import RecordingCase
from tests.followers.searching import SearchCase
from tests.followers.sending import WebhookCase

CASES: tuple[type[FollowerCase], ...] = (CountingCase, RecordingCase, SearchCase, WebhookCase)
