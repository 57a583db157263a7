"""The pages that staff look at all day, with a million calls and 2,000 batches in the database."""

import http.client
import statistics
import time

from tests.benchmarks.reading import filled_batch, line_of
from tests.benchmarks.server import Server, running_server

from tests.benchmarks import limit  # isort: skip (the settings stand in the environment now)
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.db import connection

from batches.models import Call, CallBatch
from workspaces.models import User

CALLS, BATCHES = 1_000_000, 2_000
REQUESTS = 20  # of each page and round
LONGEST_MEDIAN = 0.3  # seconds

# The attempts of a day, most of them of today.
_SPREAD = """
UPDATE batches_callattempt SET created_at = created_at - random() * interval '30 hours'
"""


def run(rounds: int = 3) -> None:
    """p50 and p95 of whole requests, one at a time; each page's median is to be under 300 ms."""
    call_command("collectstatic", interactive=False, verbosity=0)
    demo = limit.prepare()
    for _ in range(BATCHES):
        limit.create_one_batch(demo)
    batch_id = filled_batch(demo, CALLS)
    CallBatch.objects.filter(id=batch_id).update(status="active")
    with connection.cursor() as cursor:
        cursor.execute(_SPREAD)
        cursor.execute("VACUUM ANALYZE")
    call = Call.objects.filter(batch_id=batch_id)[0]
    pages = {
        "home": "/admin/",
        "list of batches": "/admin/batches/callbatch/",
        "page of a batch": f"/admin/batches/callbatch/{batch_id}/change/",
        "list of calls": "/admin/batches/call/",
        "page of a call": f"/admin/batches/call/{call.id}/change/",
    }
    viewers = {
        "superuser": User.objects.get(is_superuser=True),
        "owner": User.objects.get(id=demo["userId"]),
    }
    User.objects.filter(id=demo["userId"]).update(is_staff=True)
    sessions = {name: _signed_in(user) for name, user in viewers.items()}
    latencies: dict[tuple[str, str], list[float]] = {
        (page, viewer): [] for page in pages for viewer in viewers
    }
    with running_server() as server:
        for _ in range(REQUESTS * rounds):
            for page, viewer in latencies:
                latencies[page, viewer].append(_seconds(server, pages[page], sessions[viewer]))
    for (page, viewer), found in latencies.items():
        verdict = "" if statistics.median(found) < LONGEST_MEDIAN else "  TOO SLOW"
        print(f"{page:16} as {viewer:9} {line_of(found)}{verdict}", flush=True)


def _signed_in(user: User) -> str:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def _seconds(server: Server, path: str, cookie: str) -> float:
    start = time.perf_counter()
    web = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    web.request("GET", path, headers={"Cookie": cookie})
    response = web.getresponse()
    body = response.read()
    if response.status != 200:
        raise SystemExit(f"GET {path}: {response.status} {body[:300]!r}")
    return time.perf_counter() - start
