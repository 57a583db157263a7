"""What every page of the back office shares: who sees which rows, an audit event for each write,
times, look-up by id."""

from collections.abc import Iterable
from typing import Any, TypeVar

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import ValidationError
from django.db import DataError, models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from workspaces.back_office.reach import reach_of
from workspaces.back_office.theme import ModelAdmin, TabularInline
from workspaces.callers import Actor, CredentialKind
from workspaces.client import client_ip, request_id_of
from workspaces.ids import is_object_id
from workspaces.models import Workspace
from workspaces.services.audit import audit_event
from workspaces.services.dialing import wake

Row = TypeVar("Row", bound=models.Model)
MADE = ["created_by", "created_at", "updated_at"]  # who made it and when, to look at
# What a list may be asked by: the filters that it shows (Django's add these ends), and our own links.
_ENDS_OF_FILTERS = ("", "__exact", "__isnull", "__gte", "__lt", "__id__exact")
_LINKS = frozenset(
    f"{name}__exact" for name in ("pk", "id", "workspace__id", "agent__id", "batch__id", "status")
)


class _OddAddressError(Exception):
    """The database, or Python, can't make anything of what the address of a list asks."""


def actor_of(request: HttpRequest) -> Actor:
    return Actor(
        user_id=str(request.user.pk),
        kind=CredentialKind.SESSION,
        ip=client_ip(request),
        request_id=request_id_of(request),
    )


def stamp(row: models.Model) -> None:
    """Set `created_at` of a new row and `updated_at` of any, where the model has them."""
    now = timezone.now()
    names = {field.name for field in row._meta.concrete_fields}
    if "updated_at" in names:
        row.updated_at = now  # type: ignore[attr-defined]
    if row._state.adding and "created_at" in names:
        row.created_at = now  # type: ignore[attr-defined]


class AuditedAdmin(ModelAdmin[Row]):
    """Django's own log hooks are called for every write of the admin, so the audit hangs on them.

    Rights come from memberships alone: Django's permissions and groups are not asked.
    """

    list_per_page = 50
    show_full_result_count = False  # a second count over the whole table, on every page
    list_filter_submit = True
    list_fullwidth = True
    empty_value_display = "–"
    workspace_path = "workspace"  # from a row to its workspace

    # --- who sees what ---

    def get_queryset(self, request: HttpRequest) -> QuerySet[Row]:
        return reach_of(request).narrow(super().get_queryset(request), self.workspace_path)

    def get_led(self, request: HttpRequest) -> QuerySet[Row]:
        """The rows that the person may change, or name in other rows."""
        return reach_of(request).narrow_to_led(self.get_queryset(request), self.workspace_path)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        reach = reach_of(request)
        return reach.sees_any if obj is None else reach.sees(_workspace_id(obj))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return reach_of(request).leads_any

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        reach = reach_of(request)
        return reach.leads_any if obj is None else reach.leads(_workspace_id(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def may_steer(self, request: HttpRequest, row: Row) -> bool:
        """Whether the person leads the row's workspace; read-only rows have deeds, too."""
        return reach_of(request).leads(_workspace_id(row))

    def has_steer_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """For the theme's buttons on the page of a row (`permissions=["steer"]`)."""
        row = self.get_object(request, str(object_id)) if object_id else None
        return row is not None and self.may_steer(request, row)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A choice among rows that the person may give away: those of workspaces they lead."""
        related = self.admin_site._registry.get(db_field.remote_field.model)
        if isinstance(related, AuditedAdmin) and "queryset" not in kwargs:
            kwargs["queryset"] = related.get_led(request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Who leads one workspace need not choose it."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        for field in self.opts.fields:
            if field.is_relation and not is_object_id(initial.get(field.name)):
                initial.pop(field.name, None)
        if len(led := reach_of(request).led) == 1:
            initial.setdefault("workspace", led[0])
        return initial

    # --- audit ---

    def log_addition(self, request: HttpRequest, obj: Row, message: Any) -> Any:
        self._audit(request, "create", [obj], message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Row, message: Any) -> Any:
        self._audit(request, "update", [obj], message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Row]) -> Any:
        self._audit(request, "delete", queryset, [])
        return super().log_deletions(request, queryset)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        try:
            # Actions run outside Django's own transaction: the deed and its event belong together.
            with transaction.atomic():
                return super().changelist_view(request, extra_context)
        except _OddAddressError:
            if request.GET.keys() <= {ERROR_FLAG}:
                raise  # it is not the address: the browser would go in circles
            return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Of a row that is there only what the form has changed: others write the rest meanwhile."""
        stamp(obj)
        if not change:
            super().save_model(request, obj, form, change)
            return
        columns = {field.name for field in obj._meta.concrete_fields}
        obj.save(update_fields=columns & {*form.changed_data, "updated_at"})

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for inline in formset.forms:
            stamp(inline.instance)
        super().save_formset(request, form, formset, change)

    # --- what a list is asked ---

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        """Django lets every column be asked, shown or not: a hash could be guessed bit by bit."""
        filters = self.get_list_filter(request) if request else self.list_filter
        named = {_name_of(one) + end for one in filters for end in _ENDS_OF_FILTERS}
        return lookup in named | _LINKS

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        try:
            changelist = super().get_changelist_instance(request)
            len(changelist.result_list)  # reads it
        except (DataError, ValueError, OverflowError, ValidationError) as error:
            raise _OddAddressError from error
        return changelist

    def response_action(self, request: HttpRequest, queryset: QuerySet[Row]) -> HttpResponse | None:
        if not all(map(is_object_id, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            self.message_user(request, "What was selected is no row.", messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return super().response_action(request, queryset)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Row], search_term: str
    ) -> tuple[QuerySet[Row], bool]:
        """An id finds its row; anything else searches `search_fields`."""
        term = search_term.replace("\0", "")  # PostgreSQL takes none
        if is_object_id(term.strip()):
            return queryset.filter(pk=term.strip()), False
        return super().get_search_results(request, queryset, term)

    def _audit(
        self, request: HttpRequest, verb: str, rows: Iterable[models.Model], message: Any
    ) -> None:
        for row in rows:
            audit_event(
                actor=actor_of(request),
                action=f"{row._meta.model_name}.{verb}",
                target=row,
                workspace_id=_workspace_id(row),
                now=timezone.now(),
                changes={"admin": message} if message else {},
            ).save(force_insert=True)


def _name_of(list_filter: Any) -> str:
    """What the parameters of a filter begin with."""
    if isinstance(list_filter, tuple | list):
        return str(list_filter[0])
    return str(getattr(list_filter, "parameter_name", list_filter))


def _workspace_id(row: models.Model) -> str | None:
    return row.pk if isinstance(row, Workspace) else getattr(row, "workspace_id", None)


class DialingAdmin(AuditedAdmin[Row]):
    """Rows that say which calls may go: calls that a change lets go, go at once."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if workspace_id := _workspace_id(obj):
            wake(workspace_id, timezone.now())


class ReadOnlyAdmin(AuditedAdmin[Row]):
    """To look at: the API or the system owns these rows."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(TabularInline[Row, Any]):
    """Rows of the row at hand: whoever sees the one sees the other."""

    extra = 0
    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        reach = reach_of(request)
        return reach.sees_any if obj is None else reach.sees(_workspace_id(obj))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
