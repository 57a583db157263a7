"""How the back office looks, and where everything is in it (django-unfold)."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

from workspaces.back_office.worlds import in_title, is_live


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_superuser)


def _page(title: str, icon: str, model: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{model}_changelist")}


_NAVIGATION = [
    {
        "items": [
            {"title": "Home", "icon": "home", "link": reverse_lazy("admin:index")},
            _page("Batches", "playlist_play", "batches_callbatch"),
            _page("Calls", "call", "batches_call"),
            {
                "title": "Number history",
                "icon": "manage_search",
                "link": reverse_lazy("admin:batches_call_contact"),
            },
            _page("Imports", "upload_file", "batches_import"),
            _page("Do not call", "phone_disabled", "batches_donotcallentry"),
        ]
    },
    {
        "title": "Calling",
        "separator": True,
        "items": [
            _page("Phone numbers", "dialpad", "calling_phonenumber"),
            _page("Agents", "support_agent", "calling_agent"),
            _page("Carrier accounts", "cell_tower", "calling_carrieraccount"),
            _page("Carrier callbacks", "forum", "batches_carriercallback"),
        ],
    },
    {
        "title": "Settings",
        "separator": True,
        "items": [
            _page("API access", "key", "workspaces_apikey"),
            _page("Access tokens", "badge", "workspaces_accesstoken"),
            _page("Webhooks", "webhook", "workspaces_webhookendpoint"),
            _page("Events", "bolt", "workspaces_event"),
            {**_page("Members", "group", "workspaces_membership"), "permission": is_live},
            _page("Workspaces", "domain", "workspaces_workspace"),
            _page("Audit log", "history", "workspaces_auditevent"),
        ],
    },
    {
        "title": "Installation",
        "separator": True,
        "items": [
            {**page, "permission": _is_superuser}
            for page in (
                _page("People", "person", "workspaces_user"),
                _page("Sign-in failures", "lock", "axes_accessattempt"),
                _page("Background jobs", "work_history", "procrastinate_procrastinatejob"),
            )
        ],
    },
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Outdial",
    "SITE_HEADER": "Outdial",
    "SITE_SUBHEADER": "Back office",
    "SITE_SYMBOL": "phone_forwarded",
    "SITE_URL": "/api/docs",
    "ENVIRONMENT_TITLE_PREFIX": in_title,
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("outdial/icon.svg"),
        }
    ],
    "DASHBOARD_CALLBACK": "batches.admin.home.dashboard",
    "STYLES": [lambda request: static("outdial/back_office.css")],
    "SCRIPTS": [lambda request: static("outdial/back_office.js")],
    "BORDER_RADIUS": "8px",
    "COLORS": {
        "primary": {  # teal: with white text it passes AA from 600 on
            "50": "#f0fdfa",
            "100": "#ccfbf1",
            "200": "#99f6e4",
            "300": "#5eead4",
            "400": "#2dd4bf",
            "500": "#14b8a6",
            "600": "#0f766e",
            "700": "#115e59",
            "800": "#134e4a",
            "900": "#0f3d3a",
            "950": "#042f2e",
        }
    },
    "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": _NAVIGATION},
}
