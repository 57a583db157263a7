"""Health for load balancers and supervisors. No credentials, no envelope: probes read the status."""

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe


@require_safe
def alive(request: HttpRequest) -> JsonResponse:
    """The process answers. Says nothing of the database: restarting us would not mend that."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """The database answers and knows all our migrations, so requests may be sent here."""
    checks = _checks()
    is_ready = all(state == "ok" for state in checks.values())
    response = JsonResponse(
        {"status": "ok" if is_ready else "unavailable", "checks": checks},
        status=200 if is_ready else 503,
    )
    if not is_ready:
        response["Retry-After"] = "5"
    return response


def _checks() -> dict[str, str]:
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (DatabaseError, InterfaceError):
        connection.close()
        return {"database": "unavailable", "migrations": "unknown"}
    return {"database": "ok", "migrations": f"{len(pending)} pending" if pending else "ok"}
