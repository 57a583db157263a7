"""What is left of imports: those that died with their process, and refused rows that nobody fetched."""

from datetime import datetime

from batches.models import Import, ImportErrorRow, ImportStatus

_AT_A_TIME = 10_000


def fail_abandoned_imports(*, silent_since: datetime, now: datetime) -> int:
    """Mark running imports failed that have not moved since then. Returns how many."""
    abandoned = Import.objects.filter(status=ImportStatus.RUNNING, updated_at__lt=silent_since)
    return abandoned.update(status=ImportStatus.FAILED, updated_at=now)


def delete_error_rows(*, before: datetime) -> int:
    """Forget the refused rows of imports made before this time. Returns how many; the imports stay."""
    old = ImportErrorRow.objects.filter(source__created_at__lt=before)
    deleted = 0
    while ids := list(old.values_list("id", flat=True)[:_AT_A_TIME]):
        deleted += ImportErrorRow.objects.filter(id__in=ids).delete()[0]
    return deleted
