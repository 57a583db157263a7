from typing import Any

import phonenumbers
from django.db import migrations, models
from django.db.models import Case, Value, When
from django.utils import timezone
from django.utils.crypto import salted_hmac

NUMBERS = ("+12125550100", "+12125550101")
GREETING = "Hello, this is a test call. Goodbye."


def furnish_sandboxes(apps: Any, schema_editor: Any) -> None:
    """With an account of the simulator, an agent and numbers, as new ones are; those with a number stay.

    One whose workspace has nobody whose they could be stays empty until somebody adds a number.
    """
    Workspace = apps.get_model("workspaces", "Workspace")
    PhoneNumber = apps.get_model("calling", "PhoneNumber")
    now = timezone.now()
    furnished = PhoneNumber.objects.values("workspace")
    for sandbox in Workspace.objects.exclude(sandbox_of=None).exclude(id__in=furnished):
        user_id = _whose(apps, sandbox.sandbox_of_id)
        if user_id is not None:
            _furnish(apps, sandbox, user_id, now)


def _whose(apps: Any, live_id: str) -> str | None:
    """The first owner, else another leader or member; of a workspace without any, a superuser."""
    members = apps.get_model("workspaces", "Membership").objects.filter(workspace_id=live_id)
    rank = Case(
        When(role="owner", then=Value(0)), When(role="admin", then=Value(1)), default=Value(2)
    )
    member = members.order_by(rank, "created_at", "id").first()
    if member is not None:
        return str(member.user_id)
    superusers = apps.get_model("workspaces", "User").objects.filter(
        is_superuser=True, is_active=True
    )
    user = superusers.order_by("created_at", "id").first()
    return None if user is None else str(user.id)


def _furnish(apps: Any, sandbox: Any, user_id: str, now: Any) -> None:
    made = {"workspace": sandbox, "created_at": now, "updated_at": now}
    account, _ = apps.get_model("calling", "CarrierAccount").objects.get_or_create(
        workspace=sandbox,
        carrier="simulator",
        digest=salted_hmac(
            "calling.CarrierAccount", f"simulator:{sandbox.id}", algorithm="sha256"
        ).digest(),
        defaults={
            "credentials": {"accSId": sandbox.id, "authToken": "simulator"},
            "created_at": now,
            "updated_at": now,
        },
    )
    agent = apps.get_model("calling", "Agent").objects.create(
        **made,
        created_by_id=user_id,
        name="Sandbox agent",
        connection_type="message",
        connection_target=GREETING,
    )
    PhoneNumber = apps.get_model("calling", "PhoneNumber")
    if countries := _called_countries(PhoneNumber, sandbox):
        sandbox.called_countries = sorted({*countries, "US"})
        sandbox.save(update_fields=["called_countries"])
    PhoneNumber.objects.bulk_create(
        PhoneNumber(
            **made,
            created_by_id=user_id,
            number=number,
            label="Sandbox",
            carrier="simulator",
            account=account,
            agent=agent,
        )
        for number in NUMBERS
    )


def _called_countries(PhoneNumber: Any, sandbox: Any) -> set[str]:
    """What is called live: the list, else the countries of the numbers."""
    if sandbox.called_countries:
        return set(sandbox.called_countries)
    numbers = PhoneNumber.objects.filter(workspace_id=sandbox.sandbox_of_id)
    regions = {
        phonenumbers.region_code_for_number(phonenumbers.parse(number))
        for number in numbers.values_list("number", flat=True)
    }
    return {region for region in regions if region and region != "001"}


class Migration(migrations.Migration):
    dependencies = [
        ("calling", "0007_kill_switch"),
        ("workspaces", "0007_sandboxes"),
    ]

    operations = [
        migrations.RunPython(furnish_sandboxes, migrations.RunPython.noop),
        migrations.AddField(
            model_name="simulatedcall",
            name="sandbox",
            field=models.CharField(
                db_default="",
                default="",
                help_text="The id of the sandbox; empty: live.",
                max_length=24,
            ),
        ),
    ]
