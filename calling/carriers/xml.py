"""Texts for XML. ElementTree escapes markup; what no XML document may hold has to go before."""

import re

_forbidden = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """The text without the characters that XML 1.0 forbids."""
    return _forbidden.sub("", text)
