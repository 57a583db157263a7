"""docs/errors.md: `make errors` writes it, a test compares it."""

import sys
from http import HTTPStatus

from config.api.envelope import TITLES
from config.api.error_codes import GROUPS

# What a status means here, and what to do.
STATUSES = {
    207: "`addCallsToBatch`: some chunks were stored, `data.failedChunks` names the others. Mend those"
    " records and send them again.",
    304: "`If-None-Match` named what is there still: no body. Use what you have.",
    400: "The request cannot be read, or fields of it are wrong: `data.errors` names them. Mend it"
    " first; sent again as it is, it fails again.",
    401: "No credentials, or bad ones: missing, malformed, unknown, expired or revoked.",
    403: "The credentials may not do this, or their workspace is suspended. `createBatch` and"
    " `addCallsToBatch` answer bad credentials and unknown batches so, too.",
    404: "There is nothing of this kind with this id, or it is another workspace's.",
    405: "The path is right, the method is not; `Allow` has those that are.",
    406: "`Accept` rules JSON out.",
    409: "The same request is still running under its `Idempotency-Key`. Send it again after"
    " `Retry-After`.",
    410: "`GET /api/events`: events after the cursor are gone. Leave `after` out to go on with the"
    " oldest one, and read what became of your batches meanwhile.",
    412: "`If-Match` names an older state: somebody has changed it meanwhile. Read it, decide, send"
    " again.",
    413: "The body or the file is too large; see [the limits](guide.md#limits).",
    415: "`Content-Type` is not `application/json` (of a file: `multipart/form-data`).",
    422: "`upload`: rows of the file are invalid, nothing was stored. Or: this `Idempotency-Key` was"
    " used for another request.",
    429: "More than the key or the workspace may send, or too many attempts to log in. Wait as long as"
    " `Retry-After` says.",
    500: "A fault of the server; `errorMessage` has the request id for its operator.",
    503: "Not now: the database or a carrier is away, or too much is imported at a time. Send it again"
    " after `Retry-After`, a write with its `Idempotency-Key`.",
}

_INTRODUCTION = """\
<!-- Made by `make errors` of config/api/error_codes.py. Do not edit. -->
# Errors

An error is told in the envelope: `status` is `false`, `errorMessage` a sentence for people, which may
change, and `data.errors` (the first 100) what a program goes by. `data` is `null` where no field is at
fault.

```json
{"message": "Validation failed", "status": false, "code": 400,
 "errorMessage": "callingNumbers: Must not be empty.",
 "data": {"errors": [{"field": "callingNumbers", "code": "empty", "message": "Must not be empty."}]}}
```

`field` is a path as in code (`callingHour.start`, `call_data[1500].phoneNumber`), the name of a header
or of a parameter, or `body`. A `code` keeps its meaning for good; new ones may come, so treat one that
you do not know by its HTTP status.
"""


def page() -> str:
    lines = [_INTRODUCTION, "## HTTP statuses", ""]
    lines += ["| status | | meaning, and what to do |", "|---|---|---|"]
    lines += [f"| {code} | {_title(code)} | {text} |" for code, text in STATUSES.items()]
    lines += ["", "## Codes"]
    for group in GROUPS:
        lines += ["", f"### {group.title}", ""]
        lines += [group.about, ""] if group.about else []
        lines += ["| code | meaning, and what to do |", "|---|---|"]
        lines += [f"| `{code}` | {meaning} |" for code, meaning in group.codes.items()]
    return "\n".join(lines) + "\n"


def _title(code: int) -> str:
    return TITLES.get(code) or HTTPStatus(code).phrase.capitalize()


if __name__ == "__main__":
    sys.stdout.write(page())
