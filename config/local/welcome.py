"""What to do next, with commands that work when pasted."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote
from typing import Any

from config.local.place import USUAL_DATA

CREATE_BATCH = """\
curl --location '{url}/api/call/createBatch' \\
--header 'x-api-key: {key}' \\
--header 'Content-Type: application/json' \\
--data '{{
"batchName": "API Campaign May 2025",
"callingNumbers": ["{number}"],
"retry": 3, "delay": 60, "timezone": "America/New_York",
"callingHour": {{"start": "09:00", "end": "17:00"}},
"allowedDays": [1,2,3,4,5]
}}'"""

LIST_BATCHES = """\
curl --location '{url}/api/call/batches/{user}' \\
--header 'x-api-key: {key}'"""


def next_steps(demo_file: Path) -> str:
    """The text for the terminal, from the file that `seed_demo` wrote."""
    demo: dict[str, Any] = json.loads(demo_file.read_text())
    url, admin, workspace = demo["baseUrl"], demo["admin"], demo["workspaces"][0]
    create = CREATE_BATCH.format(url=url, key=workspace["apiKey"], number=workspace["phoneIds"][0])
    listing = LIST_BATCHES.format(url=url, key=workspace["apiKey"], user=workspace["userId"])
    return f"""
Outdial is ready.

  API documentation  {url}/api/docs
  Back office        {url}/admin/
  Operator           {admin["email"]}  {admin["password"]}
  {workspace["name"]:<17}  {workspace["email"]}  {workspace["password"]}
  Its sandbox        {workspace["testApiKey"]}
  All credentials    {demo_file}

Create a batch:

{create}

List the batches:

{listing}

See a batch ring, in another terminal:

{_demo(demo_file.parent)}

Stop with Ctrl-C.
"""


def _demo(data: Path) -> str:
    """From the project's folder, as everything that make does."""
    is_usual = data == USUAL_DATA
    return "make demo-batch" if is_usual else f"make demo-batch DATA_DIR={quote(str(data))}"
