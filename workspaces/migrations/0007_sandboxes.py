from typing import Any

from django.db import migrations
from django.utils import timezone

AT_A_TIME = 500


def make_sandboxes(apps: Any, schema_editor: Any) -> None:
    """Beside each workspace that was there before there were any; run again, it makes what is missing."""
    Workspace = apps.get_model("workspaces", "Workspace")
    now = timezone.now()
    while True:
        without = Workspace.objects.filter(sandbox_of=None, sandbox=None).order_by("id")
        found = list(without[:AT_A_TIME])
        Workspace.objects.bulk_create(
            Workspace(
                name=f"{live.name[:190]} (sandbox)",
                timezone=live.timezone,
                called_countries=live.called_countries,
                sandbox_of=live,
                created_at=now,
                updated_at=now,
            )
            for live in found
        )
        if len(found) < AT_A_TIME:
            return


class Migration(migrations.Migration):
    """What calls in them is added by calling 0008."""

    dependencies = [
        ("workspaces", "0006_api_manners"),
    ]

    operations = [
        migrations.RunPython(make_sandboxes, migrations.RunPython.noop),
    ]
