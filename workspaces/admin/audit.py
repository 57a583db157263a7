import json
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter

from workspaces.back_office.base import ReadOnlyAdmin
from workspaces.back_office.paging import ShortPaginator
from workspaces.back_office.reach import reach_of
from workspaces.back_office.words import (
    ACTIONS,
    CREDENTIALS,
    action_in_words,
    credential_in_words,
    thing,
)
from workspaces.ids import is_object_id
from workspaces.models import AuditEvent, User

# How audit events name what Django names otherwise.
_MODELS = {"batch": "callbatch"}
Change = tuple[str, str, str]


class _WordsFilter(DropdownFilter):  # type: ignore[misc]
    """Choices that are known beforehand: to look for those in use is to read the whole table."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = dict(self.lookup_choices)
        return queryset.filter(**{self.column: self.value()}) if self.value() in known else queryset


class ActionFilter(_WordsFilter):
    title = "what happened"
    parameter_name = column = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(ACTIONS.items(), key=lambda item: item[1])


class CredentialFilter(_WordsFilter):
    title = "with what"
    parameter_name = column = "credential_kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(kind), words) for kind, words in CREDENTIALS.items()]


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin[AuditEvent]):
    list_display = ["created_at", "what", "target", "who", "with_what", "ip", "workspace"]
    list_display_links = ["created_at", "what"]
    list_filter = [ActionFilter, CredentialFilter, "created_at"]
    list_select_related = ["workspace", "user"]
    sortable_by = ()
    paginator = ShortPaginator
    search_fields = ["target_id"]
    search_help_text = "The id of what it happened to, an e-mail address, a request id, or a key."
    fieldsets = [
        (None, {"fields": ["what", "created_at", "workspace", "target", "target_id"]}),
        ("Who", {"fields": ["who", "with_what", "ip", "request_id"]}),
        ("What was set", {"fields": ["changes_table"]}),
    ]
    readonly_fields = ["what", "target", "who", "with_what", "changes_table"]

    def get_ordering(self, request: HttpRequest) -> list[str]:
        """That of an index; an id begins with the time, too."""
        reach = reach_of(request)
        is_one = not reach.is_all and len(reach.seen) == 1
        return ["-created_at", "-id"] if is_one else ["-id"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEvent], search_term: str
    ) -> tuple[QuerySet[AuditEvent], bool]:
        """What happened to this id? (Its own id interests nobody.)"""
        term = search_term.replace("\0", "").strip()
        if not term:
            return queryset, False
        if is_object_id(term):
            return queryset.filter(target_id=term).order_by("-created_at", "-id"), False
        people = User.objects.filter(email__icontains=term).values("id")
        found = Q(user__in=people) | Q(request_id=term) | Q(target_id=term)
        if public_id := term.rpartition("_")[2]:  # of a key as it is shown
            found |= Q(credential=public_id)
        return queryset.filter(found), False

    @admin.display(description="what happened")
    def what(self, event: AuditEvent) -> str:
        return action_in_words(event.action)

    @admin.display(description="who")
    def who(self, event: AuditEvent) -> str:
        return str(event.user or "–")

    @admin.display(description="with what")
    def with_what(self, event: AuditEvent) -> str:
        return credential_in_words(event.credential_kind, event.credential)

    @admin.display(description="to what")
    def target(self, event: AuditEvent) -> str:
        name = thing(event.target_type)
        address = page_of(event.target_type, event.target_id)
        return (
            format_html('<a class="od-link" href="{}">{}</a>', address, name) if address else name
        )

    @admin.display(description="what was set")
    def changes_table(self, event: AuditEvent) -> str:
        rows = list(changes_of(event.changes))
        if not rows:
            return "Nothing is noted besides."
        return table_of(rows)


def page_of(target_type: str, target_id: str) -> str:
    """The page of what something happened to; empty where there is none."""
    name = _MODELS.get(target_type, target_type)
    for model in apps.get_models():
        if model._meta.model_name == name and model in admin.site._registry and target_id:
            try:
                return reverse(f"admin:{model._meta.app_label}_{name}_change", args=[target_id])
            except NoReverseMatch:
                return ""
    return ""


def changes_of(changes: Any) -> Iterator[Change]:
    """Name, value before (where it was noted), value after."""
    for name, value in changes.items():
        if name == "admin":  # Django's own list of what a form has changed
            yield from _of_form(value)
        elif isinstance(value, dict) and value.keys() == {"from", "to"}:
            yield name, _text(value["from"]), _text(value["to"])
        else:
            yield name, "", _text(value)


def _of_form(messages: Any) -> Iterator[Change]:
    if not isinstance(messages, list):
        yield "note", "", _text(messages)
        return
    for message in messages:
        for verb, what in message.items():
            if isinstance(what, dict) and "fields" in what:
                thing_changed = f"{what['name']} {what['object']}: " if "object" in what else ""
                yield verb, "", thing_changed + ", ".join(map(str, what["fields"]))
            elif what:
                yield verb, "", _text(what)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return str(value)
    if value is None:
        return "–"
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return ", ".join(map(str, value)) or "–"
    return json.dumps(value, ensure_ascii=False, indent=1)


def table_of(rows: list[Change]) -> SafeString:
    has_old = any(old for _, old, _ in rows)
    heads = ["Name", "Before", "After"] if has_old else ["Name", "Value"]
    head = format_html_join("", '<th scope="col">{}</th>', ((one,) for one in heads))
    cells = [(name, *((old,) if has_old else ()), new) for name, old, new in rows]
    body = format_html_join(
        "",
        "<tr>{}</tr>",
        ((format_html_join("", "<td>{}</td>", ((cell,) for cell in row)),) for row in cells),
    )
    return format_html(
        '<div class="od-table"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        head,
        body,
    )
