from typing import Any

from django.core.management.base import BaseCommand, CommandError

from batches.services.counters import drifts


class Command(BaseCommand):
    help = (
        "Compare the counters of all batches with their calls. Each difference is printed; any is a"
        " failure. Run it on a quiet system or accept that it reads every call once."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        found = 0
        for batch_id, differences in drifts():
            found += 1
            for name, (counted, real) in differences.items():
                self.stdout.write(f"batch {batch_id}: {name} counted {counted}, really {real}")
        if found:
            raise CommandError(f"{found} batches with a drift.")
        self.stdout.write("No drift.")
