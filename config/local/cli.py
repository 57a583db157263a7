"""The command line of the local stack."""

from __future__ import annotations

import argparse
import sys
from io import TextIOWrapper

from config.local.parent import follow_parent
from config.local.process import Signals, StackError, Stopped
from config.local.stack import run
from config.local.throwaway import with_postgres


def main() -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a closed one is None
            stream.reconfigure(errors="backslashreplace")
    arguments = _parse()
    try:
        if arguments.command == "run":
            follow = arguments.with_parent
            run(Signals(follow_parent(follow)) if follow else Signals())
            return 0
        return with_postgres(arguments.program, Signals(), durable=arguments.durable)
    except Stopped:
        return 0 if arguments.command == "run" else 130
    except (StackError, OSError) as error:  # OSError: a full disk and the like
        print(f"outdial: {error}", file=sys.stderr)
        return 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m config.local", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run", help="run database, web, dialer and worker until Ctrl-C")
    runner.add_argument("--with-parent", type=int, metavar="PID", help="stop with this parent")
    tester = commands.add_parser(
        "with-postgres", help="run a command with DATABASE_URL set to a throw-away database"
    )
    tester.add_argument("--durable", action="store_true", help="wait for the disk as usual")
    tester.add_argument("program", nargs="+", metavar="COMMAND", help="after --")
    return parser.parse_args()
