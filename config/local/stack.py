"""`python -m config.local run`: everything that a developer needs, until Ctrl-C."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Mapping

from config.local.database import DialerWatch, WorkerWatch, check_database
from config.local.place import HOST, PROJECT, Place
from config.local.postgres import Cluster
from config.local.process import Signals, StackError, describe_exit, run_to_end, say, spawn
from config.local.supervisor import Service, Supervisor
from config.local.welcome import next_steps

READY_WITHIN = 90.0  # seconds; the first start of a slow machine


def run(signals: Signals) -> None:
    """Start everything, say what to do next, keep it running until a stop is asked for."""
    place = Place.from_environment()
    with place.locked():
        supervisor = Supervisor(signals)
        cluster = None if os.environ.get("DATABASE_URL") else _cluster(place)
        try:
            with place.reserved_port():
                url = _start_database(cluster, supervisor, signals)
                env = _environment(place, url)
                _prepare(env, signals)
            for service in services(place, env):
                supervisor.add(service)
            supervisor.wait_ready(READY_WITHIN)
            say(next_steps(place.data / "demo.json"))
            supervisor.run()
        finally:
            supervisor.stop()
            if cluster is not None:
                cluster.close()


def services(place: Place, env: Mapping[str, str]) -> list[Service]:
    """What runs beside the database, in the order of starting; they are stopped in reverse.

    Another process of the project is another line here; web stays the last, so that it stops first.
    """
    worker, dialer = WorkerWatch(env["DATABASE_URL"]), DialerWatch(env["DATABASE_URL"])
    return [
        Service("worker", lambda: _python(WORKER, env), worker.has_new_worker),
        Service("dialer", lambda: _python(DIALER, env), dialer.has_new_dialer),
        Service("web", lambda: _python(web_command(place.port), env), lambda: _answers(place.port)),
    ]


# A job in hand gets two seconds when we stop.
WORKER = ["manage.py", "procrastinate", "worker", "--shutdown-graceful-timeout", "2"]
DIALER = ["manage.py", "run_dialer"]
DIALER_STOP_SECONDS = 1.5  # of the two that each service has to stop


def web_command(port: int) -> list[str]:
    """granian on the loopback address, saying only what is wrong."""
    return [
        *("-m", "granian", "--interface", "wsgi", "--no-ws", "--host", HOST, "--port", str(port)),
        *("--workers", "1", "--blocking-threads", "4", "--workers-kill-timeout", "2"),
        *("--log-level", "warning", "--no-access-log", "--factory", "config.local.web:load"),
    ]


def _python(arguments: list[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return spawn([sys.executable, *arguments], env=env, cwd=PROJECT)


def _cluster(place: Place) -> Cluster:
    return Cluster(place.data / "postgres", place.data / "postgres.log")


def _start_database(cluster: Cluster | None, supervisor: Supervisor, signals: Signals) -> str:
    if cluster is None:
        url = os.environ["DATABASE_URL"]
        check_database(url)
        return url
    if not cluster.folder.exists():
        say("outdial: creating the database")
    server = cluster.start(signals)
    service = Service("PostgreSQL", lambda: cluster.spawn(signals), stop_signal=signal.SIGINT)
    supervisor.add(service, server)
    return cluster.url


def _environment(place: Place, url: str) -> dict[str, str]:
    """What stands before the person's own environment can be set there."""
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings.development",
        "PYTHONUNBUFFERED": "1",
        "PUBLIC_BASE_URL": place.url,  # where the simulator calls back
        "DIALER_STOP_SECONDS": str(DIALER_STOP_SECONDS),
        **os.environ,
        "DATABASE_URL": url,
        "DATA_DIR": str(place.data),
        "PORT": str(place.port),
    }


def _prepare(env: Mapping[str, str], signals: Signals) -> None:
    code = run_to_end(_python(["-m", "config.local.prepare"], env), signals)
    if code != 0:
        raise StackError(f"the database could not be prepared ({describe_exit(code)}), see above")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
