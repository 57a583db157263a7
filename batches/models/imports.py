from typing import ClassVar

from django.db import models
from django.db.models import Q

from batches.models.batch import CallBatch
from workspaces.ids import ObjectIdField
from workspaces.models import User, Workspace
from workspaces.querysets import WorkspaceManager


class ImportKind(models.TextChoices):
    CONTACTS = "contacts", "Contacts"
    DO_NOT_CALL = "do_not_call", "Do-not-call entries"


class ImportSource(models.TextChoices):
    JSON = "json", "JSON"
    CSV = "csv", "CSV"
    XLSX = "xlsx", "Excel"
    XLS = "xls", "Excel 97"


class ImportStatus(models.TextChoices):
    RUNNING = "running", "Running"
    STORED = "stored", "Stored"  # all of it, or its valid part
    CHECKED = "checked", "Checked (dry run)"
    REFUSED = "refused", "Refused"  # nothing stored: the input is at fault
    FAILED = "failed", "Failed"  # nothing stored: we are at fault, or the process died


class Import(models.Model):
    """What became of one set of contacts or do-not-call numbers that somebody sent."""

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, db_index=False)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    batch = models.ForeignKey(
        CallBatch, models.CASCADE, null=True, related_name="imports", db_index=False
    )
    kind = models.CharField(max_length=16, choices=ImportKind.choices)
    source = models.CharField(max_length=8, choices=ImportSource.choices)
    file_name = models.CharField(max_length=255, blank=True)
    dry_run = models.BooleanField(default=False)
    status = models.CharField(
        max_length=16, choices=ImportStatus.choices, default=ImportStatus.RUNNING
    )
    progress = models.PositiveSmallIntegerField(default=0, help_text="Per cent read.")
    rows_read = models.PositiveIntegerField(default=0, help_text="Without the header.")
    rows_invalid = models.PositiveIntegerField(default=0)
    rows_duplicate = models.PositiveIntegerField(
        default=0, help_text="Numbers that came more than once, or were listed already."
    )
    rows_added = models.PositiveIntegerField(default=0)
    rows_updated = models.PositiveIntegerField(default=0)
    rows_known = models.PositiveIntegerField(
        default=0,
        db_default=0,
        help_text="Left alone: the batch has their external id already.",
    )
    rows_listed = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Of a dry run: valid ones on the do-not-call list."
    )
    # [{"row": 7, "errors": [{"field", "code", "message"}]}], the first 100; ImportErrorRow has all.
    errors = models.JSONField(default=list)
    header = models.JSONField(default=list, help_text="Of a file: the names of its columns.")
    created_at = models.DateTimeField()
    # Of a running import also its heartbeat: it moves every few thousand rows.
    updated_at = models.DateTimeField()

    objects: ClassVar[WorkspaceManager["Import"]] = WorkspaceManager()

    class Meta:
        indexes = [
            # The list, newest first.
            models.Index(fields=["workspace", "-created_at", "-id"], name="import_newest"),
            # The imports of one batch.
            models.Index(
                fields=["workspace", "batch", "-created_at", "-id"], name="import_of_batch"
            ),
            # Which ones died with their process?
            models.Index(
                fields=["updated_at"], name="import_running", condition=Q(status="running")
            ),
            # The front page: files of which nothing was stored.
            models.Index(
                fields=["workspace", "-created_at"],
                name="import_in_vain",
                condition=Q(status__in=["failed", "refused"]) & ~Q(source="json"),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=ImportKind.values), name="import_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(source__in=ImportSource.values), name="import_source_known"
            ),
            models.CheckConstraint(
                condition=Q(status__in=ImportStatus.values), name="import_status_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file_name or self.source} {self.created_at:%Y-%m-%d %H:%M}"


class ImportErrorRow(models.Model):
    """A row of a file that was refused, as it came: to be fixed and sent again. Kept for a month."""

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(
        Workspace, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    source = models.ForeignKey(
        Import, models.CASCADE, related_name="error_rows", db_index=False, db_column="import_id"
    )
    row = models.PositiveIntegerField(help_text="The header is 1.")
    cells = models.JSONField()
    errors = models.JSONField()  # [{"field", "code", "message"}]

    objects: ClassVar[WorkspaceManager["ImportErrorRow"]] = WorkspaceManager()

    class Meta:
        constraints = [
            # Also the reading order.
            models.UniqueConstraint(fields=["source", "row"], name="importerrorrow_once"),
        ]

    def __str__(self) -> str:
        return f"row {self.row}"
