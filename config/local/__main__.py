"""`python -m config.local`. The imports take a moment, in which Ctrl-C shall not print a traceback."""

import signal
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from config.local.cli import main

    sys.exit(main())
