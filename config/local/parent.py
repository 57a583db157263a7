"""Following the `make` that started us, which does not always pass on what it is told.

- SIGTERM to make: make sends it on. Ctrl-C: the terminal sends it to both.
- SIGKILL to make: the kernel tells us, if we asked it to.
- `kill -INT` (or -HUP) to make alone: make waits for us to end without a word to us. All that can
  be seen is that its handler, as its first act, stops catching the signal.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from config.local.process import STOP_SIGNALS, die_with_parent


def follow_parent(parent: int) -> Callable[[], bool]:
    """Stop with this process, our parent; returns the question whether it asks for that."""
    die_with_parent(signal.SIGTERM, parent)
    at_first = _caught_stop_signals(parent)
    return lambda: os.getppid() != parent or not at_first <= _caught_stop_signals(parent)


def _caught_stop_signals(process: int) -> frozenset[int]:
    """The stop signals that a process has handlers for; none where there is no /proc."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return frozenset()
    mask = int(status.partition("SigCgt:")[2].split()[0], 16)
    return frozenset(number for number in STOP_SIGNALS if mask >> (number - 1) & 1)
