"""The local stack: an embedded PostgreSQL, web, dialer and worker under one launcher.

For development and tests only. `python -m config.local run` is what `make run` calls;
`python -m config.local with-postgres -- COMMAND` gives a command a throw-away database.
The launcher never imports Django, so that it starts at once and so that an error in the
project shows in the process that has it, not in the one that supervises.
"""
