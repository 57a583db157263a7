"""How often a contact's number may be called, over all batches of a workspace."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from batches.dialer.tenants import Tenant
from workspaces.sql import fetch_all

SPAN = timedelta(hours=24)

# With a cap of n: the n-th newest attempt, if it is within the span, keeps the number from being called.
_CAPPED = """
SELECT number, attempt.created_at
FROM unnest(%s::text[]) AS number CROSS JOIN LATERAL (
    SELECT created_at FROM batches_callattempt
    WHERE workspace_id = %s AND to_number = number AND created_at > %s
    ORDER BY created_at DESC OFFSET %s LIMIT 1
) AS attempt
"""


def capped_contacts(tenant: Tenant, numbers: Sequence[str], now: datetime) -> dict[str, datetime]:
    """Which of these numbers had their attempts of 24 hours, and when each may be called again."""
    if not (tenant.contact_daily_cap and numbers):
        return {}
    params = [list(set(numbers)), tenant.id, now - SPAN, tenant.contact_daily_cap - 1]
    return {number: called_at + SPAN for number, called_at in fetch_all(_CAPPED, params)}
