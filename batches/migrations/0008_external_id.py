from django.db import migrations, models

CONSTRAINT = models.UniqueConstraint(
    condition=~models.Q(external_id=""),
    fields=("batch", "external_id"),
    name="call_external_id_once",
)


class Migration(migrations.Migration):
    """The index without blocking writes, hence outside of a transaction."""

    atomic = False

    dependencies = [
        ("batches", "0007_front_page"),
    ]

    operations = [
        migrations.AddField(
            model_name="call",
            name="external_id",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="The integrator's own id of the contact; also its variable `externalId`.",
                max_length=128,
            ),
        ),
        migrations.AddField(
            model_name="import",
            name="rows_known",
            field=models.PositiveIntegerField(
                db_default=0,
                default=0,
                help_text="Left alone: the batch has their external id already.",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "CREATE UNIQUE INDEX CONCURRENTLY call_external_id_once"
                    " ON batches_call (batch_id, external_id) WHERE NOT external_id = ''",
                    "DROP INDEX CONCURRENTLY IF EXISTS call_external_id_once",
                )
            ],
            state_operations=[
                migrations.AddConstraint(model_name="call", constraint=CONSTRAINT),
            ],
        ),
    ]
