from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Without blocking writes, hence outside of a transaction."""

    atomic = False

    dependencies = [
        ('batches', '0006_contacts_files'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='callbatch',
            index=models.Index(condition=models.Q(('deleted_at__isnull', True), ('status', 'paused')), fields=['workspace', '-updated_at'], name='callbatch_paused'),
        ),
        AddIndexConcurrently(
            model_name='callcounter',
            index=models.Index(condition=models.Q(('unknown', 0), _negated=True), fields=['workspace', 'batch'], name='callcounter_with_unknown'),
        ),
        AddIndexConcurrently(
            model_name='donotcallentry',
            index=models.Index(condition=models.Q(('deleted_at__isnull', False)), fields=['workspace', 'phone_number'], name='donotcallentry_taken_off'),
        ),
        AddIndexConcurrently(
            model_name='import',
            index=models.Index(condition=models.Q(('status__in', ['failed', 'refused']), models.Q(('source', 'json'), _negated=True)), fields=['workspace', '-created_at'], name='import_in_vain'),
        ),
    ]
