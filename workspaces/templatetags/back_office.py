"""Words and shapes that the pages of the back office share."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.utils import timezone
from django.utils.html import format_html

from workspaces.back_office.worlds import HEADER, world_of
from workspaces.timezones import timezone_names

register = template.Library()

_VARIANTS = {
    "success": ("completed", "active", "usable", "on"),
    "info": ("in-progress", "running", "queued", "ringing"),
    "warning": ("paused", "unknown", "skipped", "voicemail", "no-answer", "busy", "stopped"),
    "danger": ("failed", "revoked", "canceled", "refused", "off"),
}
_VARIANT_OF = {word: variant for variant, words in _VARIANTS.items() for word in words}


@dataclass(frozen=True, slots=True)
class Bar:
    """One of a row of bars. `parts`: (CSS class, value), drawn from the bottom; `text` reads it out."""

    label: str
    text: str
    parts: Sequence[tuple[str, int]]

    @property
    def total(self) -> int:
        return sum(value for _, value in self.parts)


@register.filter
def moment(at: datetime | None, zone: str = "") -> str:
    """`24 Nov 2026, 17:52:54 CET`, in the viewer's zone or the given IANA one."""
    if at is None:
        return "–"
    local = at.astimezone(ZoneInfo(zone) if zone in timezone_names() else _viewer())
    return f"{local.day} {local:%b %Y, %H:%M:%S} {local.tzname()}"


def _viewer() -> Any:
    return timezone.get_current_timezone()


@register.simple_tag
def viewer_zone() -> str:
    """The IANA name of the zone that times are told in."""
    return timezone.get_current_timezone_name()


@register.filter
def share(part: int, whole: int) -> str:
    """A percentage for people: `42 %`; a dash of nothing; never `100 %` of something unfinished."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 99 < percent < 100:
        return "99 %"
    return "<1 %" if 0 < percent < 1 else f"{percent:.0f} %"


@register.inclusion_tag("unfold/helpers/label.html")
def status_label(status: str, text: str = "") -> dict[str, Any]:
    """A status word in its colour; the word is there, too, for who sees no colours."""
    return {"text": text or status.replace("-", " "), "variant": _VARIANT_OF.get(status, "")}


@register.inclusion_tag("outdial/bars.html")
def bars(rows: Sequence[Bar], title: str) -> dict[str, Any]:
    """A bar chart of text and boxes: it needs no script, is swapped like any text, and is read out."""
    most = max((bar.total for bar in rows), default=0) or 1
    drawn = [
        (bar, [(css, f"{100 * value / most:.2f}") for css, value in reversed(bar.parts) if value])
        for bar in rows
    ]
    return {"title": title, "bars": drawn, "most": most if rows else 0}


@register.simple_tag(takes_context=True)
def live(context: Any, url: str, every: int = 3) -> str:
    """Attributes that have an element fetch its own next state, so many seconds apart.

    Put it on the element that the address answers with. The theme's htmx does the work. It says in
    which world the page was made: once another one was entered, the whole page is loaded anew.
    """
    return format_html(
        'hx-get="{}" hx-trigger="every {}s" hx-swap="outerHTML" aria-live="off"'
        """ hx-headers='{{"{}": "{}"}}'""",
        *(url, every, HEADER, world_of(context["request"])),
    )


@register.simple_tag(takes_context=True)
def world(context: Any) -> str:
    """`live` or `sandbox`: what the person looks at."""
    return world_of(context["request"])
