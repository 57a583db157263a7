from typing import ClassVar

from django.db import models

from batches.models.batch import CallBatch
from batches.models.imports import Import
from workspaces.ids import ObjectIdField
from workspaces.models import User, Workspace
from workspaces.querysets import WorkspaceManager


class ContactsFile(models.Model):
    """A file for a batch, between its being sent and its import.

    In the database, for nobody knows which process will be asked next, or which worker reads it.
    Files that nobody has imported are deleted after a day.
    """

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)
    batch = models.ForeignKey(CallBatch, models.CASCADE, related_name="files", db_index=False)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(max_length=255)
    size = models.PositiveIntegerField(help_text="Bytes.")
    header = models.JSONField(help_text="The names of its columns.")
    sample = models.JSONField(help_text="Its first rows, as lists of cells.")
    columns = models.JSONField(help_text="What each column is taken as; null: it is left out.")
    # The last dry run with these columns, and the import.
    check_run = models.ForeignKey(
        Import, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    import_run = models.ForeignKey(
        Import, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    created_at = models.DateTimeField()

    objects: ClassVar[WorkspaceManager["ContactsFile"]] = WorkspaceManager()

    class Meta:
        indexes = [
            # The last file of a batch, whose columns the next one likely has.
            models.Index(
                fields=["workspace", "batch", "-created_at"], name="contactsfile_of_batch"
            ),
            # The nightly clean-up.
            models.Index(fields=["created_at"], name="contactsfile_created"),
        ]

    def __str__(self) -> str:
        return self.name


class ContactsFilePart(models.Model):
    """A piece of a file: no statement has to carry 50 MB."""

    id = ObjectIdField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)
    file = models.ForeignKey(ContactsFile, models.CASCADE, related_name="parts", db_index=False)
    position = models.PositiveSmallIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [
            # Also the reading order.
            models.UniqueConstraint(fields=["file", "position"], name="contactsfilepart_once"),
        ]

    def __str__(self) -> str:
        return f"{self.file_id} {self.position}"
