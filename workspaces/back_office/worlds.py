"""A browser looks at one world at a time: at live workspaces, or at their sandboxes.

Kept in the session, so that every page and every tab is of the same one. No models here: the settings
import it.
"""

from django.http import HttpRequest

LIVE, SANDBOX = "live", "sandbox"
HEADER = "X-Outdial-World"  # of a page's part that refreshes itself: the world that the page is of
_KEY = "is_sandbox"


def is_in_sandbox(request: HttpRequest) -> bool:
    session = getattr(request, "session", None)  # an API request has none
    return bool(session and session.get(_KEY))


def is_live(request: HttpRequest) -> bool:
    return not is_in_sandbox(request)


def world_of(request: HttpRequest) -> str:
    return SANDBOX if is_in_sandbox(request) else LIVE


def enter_world(request: HttpRequest, world: str) -> None:
    """Anything but the sandbox is live."""
    request.session[_KEY] = world == SANDBOX


def in_title(request: HttpRequest) -> str:
    """What the title of a page begins with."""
    return "[Sandbox]" if is_in_sandbox(request) else ""
