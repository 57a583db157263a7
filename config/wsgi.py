"""What the web server runs: `granian --interface wsgi config.wsgi:application`."""

import os
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse

from config.request_body import RequestBody, StartResponse

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

_django = get_wsgi_application()


def _in_one_piece(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """granian sends a list in one piece; any other iterable it fetches chunk by chunk."""
    response = _django(environ, start_response)
    if not isinstance(response, HttpResponse):
        return response
    response.close()
    return [response.content]


application = RequestBody(_in_one_piece)
