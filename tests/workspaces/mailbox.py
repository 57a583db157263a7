"""What people are mailed, and the links in it."""

import re
from typing import Any

from django.core import mail
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from workspaces.tasks import mail_invitation, mail_password_reset

TASKS: dict[str, Any] = {task.name: task for task in (mail_invitation, mail_password_reset)}


def forget_jobs() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return list(ProcrastinateJob.objects.order_by("id").values_list("task_name", "args"))


def deliver() -> list[Any]:
    """Run what is queued, without a worker. Returns the mails of this round."""
    before = len(mail.outbox)
    for name, args in jobs():
        TASKS[name](**args)
    forget_jobs()
    return mail.outbox[before:]


def link_in(message: Any) -> str:
    """The path of the one link that sets a password."""
    found = re.findall(r"^\S+?(/admin/(?:invitation|reset)/\S+)$", str(message.body), re.MULTILINE)
    assert len(found) == 1, message.body
    return str(found[0])


def has_link(message: Any) -> bool:
    return "/admin/invitation/" in message.body or "/admin/reset/" in message.body
