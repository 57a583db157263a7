"""What a workspace's admins and owners are told by e-mail about its do-not-call list.

One message a recipient: addresses are not shown to each other, and a mailbox that refuses its message
keeps nobody else from theirs. Nothing here may run inside a transaction: it talks to a mail server.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMessage

from batches.models import DoNotCallEntry, Import
from calling.numbers import digits
from workspaces.mails import leaders_of
from workspaces.models import User, Workspace

_REASON = "You get this mail because you are an admin or owner of this workspace."


def send_listing(entry_id: str, user_id: str) -> bool:
    """Tell this user of one listed number. False: the user no longer leads the workspace.

    Raises what the mail server or the connection to it says.
    """
    entries = DoNotCallEntry.objects.select_related("workspace", "created_by")
    entry = entries.filter(id=entry_id).first()
    if entry is None:
        return False
    facts = {"Number": digits(entry.phone_number), "Type": entry.type}
    return _send(
        f"A number was put on the do-not-call list of {entry.workspace}",
        {**facts, **_who_and_when(entry.workspace, entry.created_by, entry.created_at)},
        entry.workspace,
        user_id,
    )


def send_import_summary(import_id: str, user_id: str) -> bool:
    """Tell this user of a stored file of numbers. Returns and raises as `send_listing`."""
    record = Import.objects.select_related("workspace", "created_by").filter(id=import_id).first()
    if record is None:
        return False
    facts = {
        "File": record.file_name,
        "Numbers added": str(record.rows_added),
        "Listed already": str(record.rows_duplicate),
        "Invalid rows": str(record.rows_invalid),
    }
    return _send(
        f"A file of numbers was put on the do-not-call list of {record.workspace}",
        {**facts, **_who_and_when(record.workspace, record.created_by, record.updated_at)},
        record.workspace,
        user_id,
    )


def _send(subject: str, facts: dict[str, str], workspace: Workspace, user_id: str) -> bool:
    membership = leaders_of(workspace.id).select_related("user").filter(user_id=user_id).first()
    if membership is None:
        return False
    lines = [f"{name + ':':<16}{value}" for name, value in facts.items() if value]
    EmailMessage(
        subject=" ".join(subject.split()),  # a line break would begin another header
        body="\n".join([f"{subject}.", "", *lines, "", _REASON, ""]),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[membership.user.email],
    ).send()
    return True


def _who_and_when(workspace: Workspace, user: User | None, moment: datetime) -> dict[str, str]:
    local = moment.astimezone(ZoneInfo(workspace.timezone))
    return {
        "Workspace": workspace.name,
        "Listed by": f"{user.name} <{user.email}>".strip() if user else "",
        "At": f"{local:%Y-%m-%d %H:%M} ({workspace.timezone})",
    }
