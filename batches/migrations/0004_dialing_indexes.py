from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Without blocking writes, hence outside of a transaction."""

    atomic = False

    dependencies = [
        ('batches', '0003_dialing'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='call',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['batch', 'timezone', 'next_attempt_at', 'id'], name='call_due'),
        ),
        AddIndexConcurrently(
            model_name='call',
            index=models.Index(condition=models.Q(('session__isnull', False), ('status', 'pending')), fields=['session', 'timezone', 'next_attempt_at', 'id'], name='call_due_of_session'),
        ),
        AddIndexConcurrently(
            model_name='callattempt',
            index=models.Index(fields=['workspace', 'phone', 'created_at'], name='callattempt_from_number'),
        ),
        AddIndexConcurrently(
            model_name='callattempt',
            index=models.Index(fields=['workspace', 'to_number', 'created_at'], name='callattempt_to_number'),
        ),
        AddIndexConcurrently(
            model_name='callbatch',
            index=models.Index(condition=models.Q(('deleted_at__isnull', True), ('status', 'active')), fields=['workspace'], name='callbatch_dialed'),
        ),
    ]
