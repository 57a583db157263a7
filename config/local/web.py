"""The WSGI application as the local stack's web server loads it, inside each granian worker."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from importlib import import_module
from typing import Any

from config.local.process import die_with_parent


def load() -> Callable[..., Any]:
    """The application, in a process that does not outlive granian's main one.

    The launcher can tie only granian itself to its own life. Workers that survive a killed
    granian keep the port, and the next granian would share it with them.
    """
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        die_with_parent(signal.SIGKILL, parent.pid)
    application: Callable[..., Any] = import_module("config.wsgi").application
    return application
