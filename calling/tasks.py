"""Background work of this app, run by the Procrastinate worker."""

from datetime import timedelta

from django.utils import timezone
from procrastinate.contrib.django import app

from calling.carriers.simulator.ledger import forget_old_calls

KEEP_SIMULATED_CALLS = timedelta(days=7)


@app.periodic(cron="57 3 * * *", periodic_id="clean_up_simulated_calls")
@app.task(queueing_lock="clean_up_simulated_calls", pass_context=False)
def clean_up_simulated_calls(timestamp: int) -> int:
    """Nightly: simulated calls that rang a week ago. Returns how many went."""
    return forget_old_calls(before=timezone.now() - KEEP_SIMULATED_CALLS)
