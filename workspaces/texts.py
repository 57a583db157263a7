"""What counts as one line of text."""

import re

# Everything but control characters and line separators; also a pattern of the OpenAPI document.
PRINTABLE = r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029]"
_is_one_line = re.compile(f"{PRINTABLE}*").fullmatch


def is_one_line(text: str) -> bool:
    """No control characters, no line breaks of any kind."""
    return _is_one_line(text) is not None
