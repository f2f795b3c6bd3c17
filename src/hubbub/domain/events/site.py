"""Events of the site as a whole."""

from hubbub.domain.events.base import Event
from hubbub.domain.model import SITE, Absent, Wire
from hubbub.domain.site_settings import SignUp


class SiteChanges(Wire):
    """The changed fields of the site. Fields that are left out did not change."""

    name: str | Absent = None
    signup: SignUp | Absent = None
    """Who may sign up."""


class SiteUpdated(Event):
    """The settings of the site changed that every client shows."""

    type = "site.updated"
    changes: SiteChanges

    @property
    def topic(self) -> str:
        return SITE
