"""GET /healthz and /readyz: for probes, without credentials and without the envelope."""

from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from tests.cast import Api

MIGRATIONS = "config.health.MigrationExecutor"


def failing(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def fail(*_: Any) -> None:
        raise error("connection refused by 10.1.2.3")

    monkeypatch.setattr(MIGRATIONS, fail)


def test_alive_says_so_without_asking_the_database(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the `db` fixture, every statement would fail the test."""
    failing(monkeypatch, OperationalError)
    response = api.get("/healthz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


def test_ready_when_the_database_answers_and_knows_our_migrations(api: Api, db: None) -> None:
    response = api.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "checks": {"database": "ok", "migrations": "ok"}}


def test_not_ready_before_the_migrations(api: Api, db: None) -> None:
    recorder = MigrationRecorder.Migration.objects
    recorder.filter(app="batches").delete()
    response = api.get("/readyz")
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    checks = response.json()["checks"]
    assert checks["database"] == "ok"
    assert checks["migrations"].endswith(" pending")


@pytest.mark.parametrize("error", [OperationalError, InterfaceError, DatabaseError])
def test_not_ready_without_the_database(
    api: Api, db: None, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    failing(monkeypatch, error)
    monkeypatch.setattr("config.health.connection.close", lambda: None)  # the test's own
    response = api.get("/readyz")
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert response.json() == {
        "status": "unavailable",
        "checks": {"database": "unavailable", "migrations": "unknown"},
    }


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_send_get_or_head_and_no_cookie_comes_back(api: Api, db: None, path: str) -> None:
    assert api.request("HEAD", path).status_code == 200
    assert api.post(path).status_code == 405
    assert not Client().get(path).cookies
    assert api.get(path)["X-Request-Id"]
