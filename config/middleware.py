"""The frame around every request: its id, its log line, and no HTML under /api."""

import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes
from uuid import uuid4
from zoneinfo import ZoneInfo

import structlog
from axes.middleware import AxesMiddleware
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import timezone

from config.api.envelope import error_response
from config.api.exceptions import internal_error_message
from workspaces.back_office.worlds import HEADER, world_of
from workspaces.timezones import timezone_names

GetResponse = Callable[[HttpRequest], HttpResponseBase]
logger = structlog.get_logger("outdial.request")

_PROBES = ("/healthz", "/readyz")  # every few seconds, for ever
_is_request_id = re.compile(r"[A-Za-z0-9._-]{1,128}").fullmatch


class RequestFrameMiddleware:
    """Outermost, so that it sees what every other layer answers."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _is_request_id(given) else uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self._respond(request)
        response["X-Request-Id"] = request_id
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            del response["Content-Length"]  # it would be the length of what is not sent
        log = logger.debug if request.path_info in _PROBES else logger.info
        log(
            "request",
            method=request.method,
            path=_loggable(request.path),  # no query: a search may be somebody's phone number
            status=response.status_code,
            ms=round((time.perf_counter() - started) * 1000, 1),
        )
        return response

    def _respond(self, request: HttpRequest) -> HttpResponseBase:
        if not is_api(request):
            return self.get_response(request)
        query = request.META.get("QUERY_STRING", "")
        if query and not _is_clean_text(query):
            return error_response(400, "The query string is not UTF-8 or has a NUL character.")
        response = self.get_response(request)
        if response.status_code >= 400 and _is_html(response):
            return _in_envelope(request, response)
        return response


def _loggable(path: str) -> str:
    """Whoever reads a log must not set the password of somebody who was mailed a link."""
    return _link_of_mail.sub(r"\1[redacted]", path)


_link_of_mail = re.compile(r"(/admin/(?:reset|invitation)/[^/]+/).+")


def is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/") or request.path_info == "/api"


def _is_clean_text(query: str) -> bool:
    try:
        return "\0" not in unquote_to_bytes(query.encode("latin-1")).decode()
    except UnicodeDecodeError:
        return False


def _is_html(response: HttpResponseBase) -> bool:
    return response.get("Content-Type", "").startswith("text/html")


def _in_envelope(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Django's own error page (a bad Host header, a failing middleware), said in the envelope."""
    code = response.status_code
    sentence = internal_error_message(request) if code >= 500 else response.reason_phrase
    allow = {"Allow": response["Allow"]} if "Allow" in response else {}
    return error_response(code, f"{sentence.rstrip('.')}.", **allow)


class _BackOfficeOnly:
    """Cookies, sessions and CSRF tokens are the back office's: API requests pass these layers by.

    Mixed into Django's own classes, because the admin's system checks look for those.
    """

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_api(request):
            return self.get_response(request)  # type: ignore[attr-defined,no-any-return]
        return super().__call__(request)  # type: ignore[misc,no-any-return]


class BackOfficeSession(_BackOfficeOnly, SessionMiddleware):
    """A session ends when nobody has opened a page for its time, SESSION_COOKIE_AGE.

    It is stored again, with its time anew, once half of that is over: not with every request. The
    polling of a page that somebody left open does not count.
    """

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        session = request.session
        is_person = session.accessed and SESSION_KEY in session and not _is_polling(request)
        now = time.time()
        if is_person and now - session.get("renewed_at", 0) > settings.SESSION_COOKIE_AGE / 2:
            session["renewed_at"] = now
        return super().process_response(request, response)


def _is_polling(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


class BackOfficeCsrf(_BackOfficeOnly, CsrfViewMiddleware): ...


class BackOfficeAuthentication(_BackOfficeOnly, AuthenticationMiddleware): ...


class BackOfficeMessages(_BackOfficeOnly, MessageMiddleware): ...


class BackOfficeFrames(_BackOfficeOnly, XFrameOptionsMiddleware): ...


class BackOfficeContentSecurity(_BackOfficeOnly, CSPMiddleware): ...


class BackOfficeWorld:
    """A page that was left open in the other world, live or sandbox, is loaded anew, not filled up with
    what belongs to this one."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        world = request.headers.get(HEADER)
        if is_api(request) or world is None or world == world_of(request):
            return self.get_response(request)
        return HttpResponse(headers={"HX-Refresh": "true"})


class BackOfficeTimeZone:
    """Times in the zone of the one who looks, which `back_office.js` tells in a cookie; else UTC."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        zone = request.COOKIES.get("outdial_zone", "")
        if is_api(request) or zone not in timezone_names():
            return self.get_response(request)
        with timezone.override(ZoneInfo(zone)):
            return self.get_response(request)


class BackOfficeLockout(_BackOfficeOnly, AxesMiddleware): ...
