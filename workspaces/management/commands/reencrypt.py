from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db.models import BinaryField, Model, Value
from django.db.models.functions import Cast

from workspaces.encryption import DecryptionFailed, EncryptedJSONField, reencrypted

ROWS_AT_A_TIME = 200


class Command(BaseCommand):
    help = (
        "Bring every stored secret under the first of ENCRYPTION_KEYS, after which the other keys may"
        " go. Safe beside a running service that has the same keys, and to repeat."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        lost = 0
        for model, field in encrypted_fields():
            counts = Counter(self._reencrypt(model, field))
            lost += counts["lost"]
            self.stdout.write(
                f"{model._meta.label}.{field}: {counts['done']} re-encrypted,"
                f" {counts['there']} were under the first key, {counts['lost']} open with no key"
            )
        if lost:
            raise CommandError(f"{lost} secrets open with none of ENCRYPTION_KEYS.")

    def _reencrypt(self, model: type[Model], field: str) -> Iterator[str]:
        for row_id, stored in stored_bytes(model, field):
            try:
                fresh = reencrypted(stored)
            except DecryptionFailed:
                self.stderr.write(f"{model._meta.label} {row_id} opens with no key")
                yield "lost"
                continue
            if fresh is None:
                yield "there"
            elif replace(model, field, row_id, stored, fresh):
                yield "done"
            else:  # written or deleted since it was read, by a service with the first key
                yield "there"


def encrypted_fields() -> Iterator[tuple[type[Model], str]]:
    for model in apps.get_models():
        for field in model._meta.local_concrete_fields:
            if isinstance(field, EncryptedJSONField):
                yield model, field.name


def stored_bytes(model: type[Model], field: str) -> Iterator[tuple[Any, bytes]]:
    """Id and stored bytes of each row that has a secret, a few at a time and never decrypted."""
    # The cast takes the field's own reading, which decrypts, out of the way.
    rows = model._base_manager.exclude(**{field: None}).order_by("pk")
    found = rows.annotate(stored=Cast(field, BinaryField())).values_list("pk", "stored")
    page = found[:ROWS_AT_A_TIME]
    while pairs := list(page):
        yield from ((row_id, bytes(stored)) for row_id, stored in pairs)
        page = found.filter(pk__gt=pairs[-1][0])[:ROWS_AT_A_TIME]


def replace(model: type[Model], field: str, row_id: Any, stored: bytes, fresh: bytes) -> bool:
    """Compare and set: whether the row still had what was read."""
    unchanged = model._base_manager.annotate(stored=Cast(field, BinaryField())).filter(
        pk=row_id, stored=stored
    )
    return bool(unchanged.update(**{field: Value(fresh, output_field=BinaryField())}))
