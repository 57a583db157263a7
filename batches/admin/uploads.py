"""A file of contacts for a batch, in steps: choose it, say what its columns are, see what would become
of it, import it.

The file waits in the database meanwhile, and a worker reads it: see `batches/services/contact_files.py`.
"""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import APIException
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from batches.admin.imports import told_of
from batches.api.serializers.contacts import LARGEST_FILE
from batches.imports.columns import may_keep_its_name
from batches.imports.external_ids import EXTERNAL_ID
from batches.imports.reading import FileRefused
from batches.imports.records import NUMBER, TIMEZONE, FileColumns
from batches.models import CallBatch, ContactsFile, Import, ImportStatus
from batches.services.contact_files import keep_file, queue_check, queue_import, schema_of
from calling.variables import VariableSchema
from workspaces.api.fields import UploadedFileField
from workspaces.back_office.base import actor_of
from workspaces.back_office.confirm import row_to_steer, tell
from workspaces.ids import is_object_id

_LEFT_OUT = ""
_CHANGED = "The columns have been changed since the check: they are checked again now."


class FileForm(forms.Form):
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.xlsx,.xls"}),
        allow_empty_file=True,
        error_messages={"required": "Choose a file."},
        help_text=(
            "A table with one row a contact, its first row the names of the columns. CSV (UTF-8; up to"
            " 1,000,000 rows) or Excel (.xlsx, .xls; the first sheet, up to 200,000 rows), up to 50 MB."
        ),
    )

    def clean_file(self) -> Any:
        """As large as the API takes."""
        file = self.cleaned_data["file"]
        try:
            return UploadedFileField(max_bytes=LARGEST_FILE).run_validation(file)
        except APIException as error:
            raise forms.ValidationError(str(error.detail)) from error


class ColumnsForm(forms.Form):
    """A choice for each column of the file. `columns`: what was chosen, for the services."""

    def __init__(self, file: ContactsFile, schema: VariableSchema, *args: Any) -> None:
        super().__init__(*args)
        self._file, self._schema = file, schema
        for index, name in enumerate(file.header):
            self.fields[f"column_{index}"] = forms.ChoiceField(
                choices=_choices(name, schema),
                initial=file.columns[index] or _LEFT_OUT,
                required=False,
                widget=UnfoldAdminSelectWidget(
                    attrs={"aria-label": f"Column {name or index + 1} is taken as"}
                ),
            )

    @property
    def columns(self) -> list[str | None]:
        names = range(len(self._file.header))
        return [self.cleaned_data[f"column_{index}"] or None for index in names]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.errors and (problem := _problem(self._file, self._schema, self.columns)):
            self.add_error(None, problem)
        return values


def send(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """Step 1."""
    batch = _living(model_admin, request, object_id)
    form = FileForm(request.POST or None, request.FILES or None)
    if request.method == "POST":
        form = FileForm(request.POST, request.FILES)
        if form.is_valid() and (file := _kept(request, batch, form)):
            return HttpResponseRedirect(_page("file", file))
    context = {
        **_context(model_admin, request, batch),
        "form": form,
        "variables": _schema(batch).variables,
        "has_agent": bool(_agents(batch)),
    }
    return TemplateResponse(request, "admin/batches/callbatch/upload.html", context)


def look(model_admin: Any, request: HttpRequest, object_id: str, file_id: str) -> HttpResponse:
    """Step 2: the first rows, what the columns are, and what the check says."""
    batch = _living(model_admin, request, object_id)
    file = _file(batch, file_id)
    if file.import_run_id:
        return HttpResponseRedirect(_import_page(file.import_run_id))
    schema = _schema(batch)
    form = ColumnsForm(file, schema, *([request.POST] if request.method == "POST" else []))
    if request.method == "POST" and form.is_valid():
        return _act(request, file, form.columns)
    rows = [[_shown(cell) for cell in row] for row in file.sample]
    context = {
        **_context(model_admin, request, batch),
        **_state(file),
        "form": form,
        "rows": rows,
        "columns": list(zip(file.header, list(form), strict=True)),
        "required": sorted(schema.required),
        "problem": _problem(file, schema, file.columns),
    }
    return TemplateResponse(request, "admin/batches/callbatch/upload_file.html", context)


def state(model_admin: Any, request: HttpRequest, object_id: str, file_id: str) -> HttpResponse:
    """How the check is going."""
    batch = _living(model_admin, request, object_id)
    file = _file(batch, file_id)
    context = {"batch": batch, **_state(file)}
    return TemplateResponse(request, "admin/batches/callbatch/upload_state.html", context)


def _kept(request: HttpRequest, batch: CallBatch, form: FileForm) -> ContactsFile | None:
    """The file, its check on the way where the columns can be guessed; None: the form says why not."""
    sent = form.cleaned_data["file"]
    actor, now = actor_of(request), timezone.now()
    try:
        file = keep_file(
            batch=batch, content=sent, name=sent.name, user_id=str(request.user.pk), now=now
        )
    except Http404 as error:
        form.add_error(None, str(error) or "The batch was deleted.")
        return None
    except APIException as error:
        tell(form, error)
        return None
    if _problem(file, _schema(batch), file.columns) is None:
        file = queue_check(file_id=file.id, columns=file.columns, actor=actor, now=now)
    return file


def _act(
    request: HttpRequest, file: ContactsFile, columns: list[str | None]
) -> HttpResponseRedirect:
    actor, now = actor_of(request), timezone.now()
    if request.POST.get("action") == "import" and file.check_run_id:
        if columns == file.columns:
            file = queue_import(file_id=file.id, actor=actor, now=now)
            assert file.import_run_id is not None  # noqa: S101 (that is what it is for)
            return HttpResponseRedirect(_import_page(file.import_run_id))
        messages.warning(request, _CHANGED)
    queue_check(file_id=file.id, columns=columns, actor=actor, now=now)
    return HttpResponseRedirect(_page("file", file) + "#check")


def _living(model_admin: Any, request: HttpRequest, object_id: str) -> CallBatch:
    batch: CallBatch = row_to_steer(model_admin, request, object_id)
    if batch.deleted_at:
        raise Http404
    return batch


def _file(batch: CallBatch, file_id: str) -> ContactsFile:
    files = ContactsFile.objects.for_workspace(batch.workspace_id).filter(batch=batch)
    file = None
    if is_object_id(file_id):
        file = files.select_related("check_run").filter(pk=file_id).first()
    if file is None:
        raise Http404
    return file


def _state(file: ContactsFile) -> dict[str, Any]:
    check: Import | None = file.check_run
    context: dict[str, Any] = {"file": file, "check": check, "state_url": _page("file_state", file)}
    if check is not None:
        context |= told_of(check)
        importable = check.rows_added + check.rows_updated
        context["is_ready"] = check.status == ImportStatus.CHECKED and importable > 0
        context["importable"] = importable
    return context


def _schema(batch: CallBatch) -> VariableSchema:
    """Empty where there is no agent: then `keep_file` refuses the file."""
    try:
        return schema_of(batch)
    except Http404:
        return VariableSchema([])


def _agents(batch: CallBatch) -> bool:
    return batch.rotation.filter(phone__agent__isnull=False).exists()


def _problem(file: ContactsFile, schema: VariableSchema, columns: list[str | None]) -> str | None:
    """What the import would say of these columns."""
    try:
        FileColumns.of(file.header, schema, is_text=True, taken_as=columns)
    except FileRefused as refused:
        return refused.message
    return None


def _choices(name: str, schema: VariableSchema) -> list[tuple[str, str]]:
    variables = {
        variable.key: f"{variable.key} (required)" if variable.is_required else variable.key
        for variable in schema.variables
    }
    own = {} if name in variables or not may_keep_its_name(name) else {name: f"“{name}” as it is"}
    own = {key: text for key, text in own.items() if key not in (NUMBER, TIMEZONE, EXTERNAL_ID)}
    return [
        (_LEFT_OUT, "Left out"),
        (NUMBER, "Phone number"),
        (TIMEZONE, "Time zone"),
        *({EXTERNAL_ID: "Your id (externalId)"} | variables).items(),
        *own.items(),
    ]


def _shown(cell: Any) -> str:
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def _context(model_admin: Any, request: HttpRequest, batch: CallBatch) -> dict[str, Any]:
    return {
        **model_admin.admin_site.each_context(request),
        "title": f"Upload contacts to “{batch.name}”",
        "opts": model_admin.opts,
        "original": batch,
        "batch": batch,
        "back": reverse("admin:batches_callbatch_change", args=[batch.id]),
    }


def _page(name: str, file: ContactsFile) -> str:
    return reverse(f"admin:batches_callbatch_{name}", args=[file.batch_id, file.id])


def _import_page(import_id: str) -> str:
    return reverse("admin:batches_import_change", args=[import_id])
