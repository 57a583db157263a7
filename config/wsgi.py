"""What the web server runs: `granian --interface wsgi config.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

from config.request_body import RequestBody

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

application = RequestBody(get_wsgi_application())
