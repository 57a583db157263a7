import re
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import DropdownFilter

from batches.admin.do_not_call_forms import ImportNumbersForm, ListNumberForm
from batches.admin.provenance import Origin, origins_of
from batches.admin.timeline import web_address
from batches.models import CallAttempt, DoNotCallEntry, Import, ImportKind, ImportStatus
from batches.services.do_not_call import delist_number
from workspaces.back_office.base import ReadOnlyAdmin, actor_of
from workspaces.back_office.confirm import Confirmation, confirmed, row_to_steer
from workspaces.back_office.paging import ShortPaginator
from workspaces.back_office.reach import reach_of
from workspaces.back_office.theme import action, display
from workspaces.ids import is_object_id
from workspaces.models import AuditEvent, Workspace

_not_digits = re.compile(r"[^0-9]")
_is_number = re.compile(r"[+0-9\s()./-]{5,}").fullmatch
_HALVES = Q(deleted_at=None) | Q(deleted_at__isnull=False)


class OnTheList(DropdownFilter):  # type: ignore[misc]
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("on", "On the list"), ("off", "Taken off")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("on", "off"):
            return queryset
        return queryset.filter(deleted_at__isnull=self.value() == "on")


@admin.register(DoNotCallEntry)
class DoNotCallEntryAdmin(ReadOnlyAdmin[DoNotCallEntry]):
    """Numbers are listed and taken off by the services of the API; an entry itself never changes."""

    list_display = ["phone_number", "state", "workspace", "why", "origin", "created_at"]
    list_filter = [OnTheList, "created_at"]
    list_select_related = ["workspace", "created_by"]
    sortable_by = ()
    paginator = ShortPaginator
    search_fields = ["type"]
    search_help_text = "A whole phone number with its country code, an id, or a word of why."
    ordering = ["-id"]  # which begins with the time
    list_before_template = "admin/batches/donotcallentry/empty.html"
    actions_list = ["list_number", "import_numbers"]
    fields = ["id"]  # the page has a template of its own
    change_form_template = "admin/batches/donotcallentry/change_form.html"

    # --- the list ---

    def get_queryset(self, request: HttpRequest) -> QuerySet[DoNotCallEntry]:
        """Of one's own workspaces by way of two indexes, one of the living and one of the others."""
        entries = super().get_queryset(request)
        return entries if reach_of(request).is_all else entries.filter(_HALVES)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[DoNotCallEntry], search_term: str
    ) -> tuple[QuerySet[DoNotCallEntry], bool]:
        term = search_term.strip()
        if is_object_id(term) or not _is_number(term):
            return super().get_search_results(request, queryset, term)
        # By way of the workspaces, with which the indexes begin.
        in_sight = reach_of(request).narrow(Workspace.objects.all(), "pk")
        number = f"+{_not_digits.sub('', term)}"
        return queryset.filter(_HALVES, workspace__in=in_sight, phone_number=number), False

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Where the entries of the page come from is asked once for all of them."""
        changelist = super().get_changelist_instance(request)
        entries = list(changelist.result_list)
        origins = origins_of(entries)
        for entry in entries:
            entry.origin = origins[entry.id]
        changelist.result_list = entries
        return changelist

    @display(description="state", label={"on": "warning", "off": "default"})
    def state(self, entry: DoNotCallEntry) -> tuple[str, str]:
        return ("off", "taken off") if entry.deleted_at else ("on", "on the list")

    @admin.display(description="why")
    def why(self, entry: DoNotCallEntry) -> str:
        return entry.type

    @admin.display(description="where it comes from")
    def origin(self, entry: Any) -> str:
        origin: Origin = entry.origin
        if not origin.url:
            return origin.text
        return format_html('<a class="od-link" href="{}">{}</a>', origin.url, origin.text)

    # --- the page of one ---

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "import/progress/",
                view(self.import_progress),
                name="batches_donotcallentry_import_progress",
            ),
            path(
                "<str:object_id>/take-off/",
                view(self.take_off_view),
                name="batches_donotcallentry_take_off",
            ),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> Any:
        entry: DoNotCallEntry = kwargs["obj"]
        attempt = None
        if entry.request_uuid:
            attempts = CallAttempt.objects.for_workspace(entry.workspace_id)
            attempt = attempts.filter(request_uuid=entry.request_uuid).first()
        events = AuditEvent.objects.for_workspace(entry.workspace_id).filter(target_id=entry.id)
        context |= {
            "title": f"Do not call {entry.phone_number}",
            "subtitle": "",
            "entry": entry,
            "origin": origins_of([entry])[entry.id],
            "attempt": attempt,
            "recording": web_address(entry.call_recording),
            "events": events.select_related("user").order_by("created_at", "id"),
            "may_take_off": self.may_steer(request, entry) and entry.deleted_at is None,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def take_off_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        entry = row_to_steer(self, request, object_id)

        def act(row: DoNotCallEntry, _: dict[str, Any]) -> str:
            delist_number(
                workspace_id=row.workspace_id,
                entry_id=row.id,
                actor=actor_of(request),
                now=timezone.now(),
            )
            return f"{row.phone_number} is off the list: it may be called again."

        confirmation = Confirmation(
            title=f"Take {entry.phone_number} off the list?",
            text="The workspace's batches may call the number again, and it can be listed again.",
            button="Take it off",
            is_dangerous=True,
            facts=[
                "Make sure that its owner agrees: whoever asked not to be called may have the law"
                " on their side."
            ],
        )
        return confirmed(self, request, entry, confirmation, act)

    # --- new entries ---

    def has_lead_permission(self, request: HttpRequest) -> bool:
        return reach_of(request).leads_any

    @action(description="Add a number", icon="add", url_path="list-number", permissions=["lead"])
    def list_number(self, request: HttpRequest) -> HttpResponse:
        reach = self._lead(request)
        if request.method == "POST":
            form = ListNumberForm(reach, request.POST)
            if form.is_valid() and (entry := form.save(request)):
                messages.success(request, f"{entry.phone_number} is on the do-not-call list.")
                return HttpResponseRedirect(self._list_address())
        else:
            form = ListNumberForm(reach, initial={"number": request.GET.get("number", "")})
        return self._form_page(request, "list_number.html", "Put a number on the list", form=form)

    @action(
        description="Import numbers", icon="upload_file", url_path="import", permissions=["lead"]
    )
    def import_numbers(self, request: HttpRequest) -> HttpResponse:
        reach = self._lead(request)
        if request.method == "POST":
            form = ImportNumbersForm(reach, request.POST, request.FILES)
            if form.is_valid() and (imported := form.save(request)):
                return HttpResponseRedirect(f"{request.path}?done={imported.import_id}")
        else:
            form = ImportNumbersForm(reach)
        return self._form_page(
            request,
            "import.html",
            "Import numbers",
            form=form,
            done=self._done(request) if request.method == "GET" else None,
        )

    def import_progress(self, request: HttpRequest) -> HttpResponse:
        """The person's own import that is running; the page asks while its form is on its way."""
        self._lead(request)
        running = self._imports(request).filter(
            status=ImportStatus.RUNNING, created_by=str(request.user.pk)
        )
        context = {"running": running.order_by("-created_at", "-id").first()}
        return TemplateResponse(request, "admin/batches/donotcallentry/progress.html", context)

    def _done(self, request: HttpRequest) -> Import | None:
        id_ = request.GET.get("done", "")
        return self._imports(request).filter(pk=id_).first() if is_object_id(id_) else None

    def _imports(self, request: HttpRequest) -> QuerySet[Import]:
        of_numbers = Import.objects.filter(kind=ImportKind.DO_NOT_CALL)
        return reach_of(request).narrow(of_numbers, "workspace")

    def _lead(self, request: HttpRequest) -> Any:
        reach = reach_of(request)
        if not reach.leads_any:
            raise PermissionDenied
        return reach

    def _list_address(self) -> str:
        return reverse("admin:batches_donotcallentry_changelist")

    def _form_page(
        self, request: HttpRequest, template: str, title: str, **context: Any
    ) -> HttpResponse:
        context |= {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "back": self._list_address(),
        }
        return TemplateResponse(request, f"admin/batches/donotcallentry/{template}", context)
