"""Structured logs, one event a line, to standard output."""

import re
import sys
from typing import Any

import orjson
import structlog
from structlog.types import EventDict, Processor

from workspaces.credentials import CREDENTIAL_IN_TEXT


def redact(logger: object, method: str, line: Any) -> str:
    """No credential leaves in a log, whoever put it into the line (an exception, a library)."""
    return CREDENTIAL_IN_TEXT.sub(r"\1_[redacted]", line)


def without_row_values(logger: object, method: str, event: EventDict) -> EventDict:
    """PostgreSQL's DETAIL and CONTEXT quote the row that it refused: a number, a contact's data."""
    for name in ("exception", "error", "event"):
        text = str(event.get(name, ""))
        if "DETAIL:" in text or "CONTEXT:" in text:
            event[name] = _quoting.sub(r"\1: [redacted]", text)
    return event


_quoting = re.compile(r"(DETAIL|CONTEXT):.*?(?=\n\n|\Z)", re.DOTALL)

_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def _to_json(event: EventDict, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def _console() -> Processor:
    return structlog.dev.ConsoleRenderer(colors=sys.stdout is not None and sys.stdout.isatty())


_LEVELS = {
    # One line per request is ours (config.middleware); Django's 4xx warnings would repeat it.
    "django.request": {"level": "ERROR"},
    "django.server": {"level": "ERROR"},
    "axes": {"level": "WARNING"},
    "procrastinate": {"level": "WARNING"},
    "httpx": {"level": "WARNING"},  # it logs every address that it asks, in full
}


def configure_logging(*, as_json: bool, level: str) -> dict[str, Any]:
    """Set structlog up, and return Django's LOGGING so that libraries' records look the same."""
    renderer: Processor = (
        structlog.processors.JSONRenderer(serializer=_to_json) if as_json else _console()
    )
    rendering: list[Processor] = [
        structlog.processors.format_exc_info,
        without_row_values,
        renderer,
        redact,
    ]
    structlog.configure(
        processors=[*_SHARED, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structured = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": _SHARED,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    }
    console = {
        "class": "logging.StreamHandler",
        "stream": "ext://sys.stdout",
        "formatter": "structured",
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": structured},
        "handlers": {"console": console},
        "root": {"handlers": ["console"], "level": level},
        "loggers": _LEVELS,
    }
