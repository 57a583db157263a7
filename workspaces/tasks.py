"""Background work of this app, run by the Procrastinate worker."""

from datetime import timedelta

from django.utils import timezone
from procrastinate.contrib.django import app

from workspaces.services.logins import delete_expired_tokens

KEEP_EXPIRED_TOKENS = timedelta(days=30)


@app.periodic(cron="17 3 * * *", periodic_id="clean_up_tokens")
@app.task(queueing_lock="clean_up_tokens", pass_context=False)
def clean_up_tokens(timestamp: int) -> int:
    """Nightly: tokens that expired a month ago. Returns how many went."""
    return delete_expired_tokens(before=timezone.now() - KEEP_EXPIRED_TOKENS)
