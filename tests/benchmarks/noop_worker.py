"""Procrastinate's rate with tasks that do nothing, printed as jobs a second."""

import os
import time

import django

os.environ.setdefault("LOG_LEVEL", "ERROR")
django.setup()

from procrastinate.contrib.django import app  # noqa: E402 (after the set-up)

JOBS = 2000


@app.task(name="benchmark_noop", queue="benchmark")
def noop() -> None:
    pass


def main() -> None:
    noop.batch_defer(*({} for _ in range(JOBS)))
    worker = app.with_connector(app.connector.get_worker_connector())  # type: ignore[attr-defined]
    began = time.perf_counter()
    worker.run_worker(
        queues=["benchmark"], wait=False, concurrency=10, delete_jobs="always", listen_notify=False
    )
    print(JOBS / (time.perf_counter() - began))


if __name__ == "__main__":
    main()
