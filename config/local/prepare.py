"""`python -m config.local.prepare`: bring the database up to date, with data to try things on.

One process for all of it: importing Django takes longer than the work on a prepared database.
"""

from __future__ import annotations

import sys
from io import StringIO

import django
from django.core.management import call_command
from django.db import Error


def main() -> None:
    django.setup()
    try:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("seed_demo", stdout=StringIO())  # the launcher tells more
    except Error as error:
        sys.exit(f"outdial: the database refuses: {str(error).strip().splitlines()[0]}")


if __name__ == "__main__":
    main()
