import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.demo import seed


class Command(BaseCommand):
    help = (
        "Make the demo workspaces and write their credentials to $DATA_DIR/demo.json (mode 0600)."
        " Run again, it keeps what still works. Development only."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not getattr(settings, "DEMO_ALLOWED", False):
            raise CommandError("seed_demo makes known credentials: it runs in development only.")
        path = Path(os.environ.get("DATA_DIR", ".data")) / "demo.json"
        base_url = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
        seed(path=path, base_url=base_url, now=timezone.now())
        self.stdout.write(f"Demo credentials: {path}")
