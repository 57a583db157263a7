"""The event feed: what webhooks are sent, to be fetched."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from workspaces.api.base import ApiViewSet
from workspaces.api.endpoint import endpoint
from workspaces.api.event_shapes import EventsField
from workspaces.api.fields import QueryIntegerField, StrictCharField
from workspaces.api.strict import QuerySerializer
from workspaces.permissions import Access
from workspaces.services.feed_pages import FEED_TYPES, latest_cursor, read_feed

LATEST = "latest"
LONGEST_CURSOR = 18  # digits, within a bigint
MOST_EVENTS = 1000

EXAMPLE = OpenApiExample(
    "A call has ended",
    response_only=True,
    status_codes=["200"],
    value={
        "message": "Events fetched successfully",
        "status": True,
        "code": 200,
        "errorMessage": "",
        "data": {
            "events": [
                {
                    "id": "67def9053495307c718d9e01",
                    "type": "dnc.added",
                    "timestamp": "2025-05-15T14:32:01.120Z",
                    "data": {
                        "entryId": "67def9053495307c718d9dff",
                        "phoneNumber": "12125551234",
                        "type": "opt-out",
                    },
                }
            ],
            "nextCursor": "1042",
            "hasMore": False,
        },
    },
)


@extend_schema_field(
    {
        "type": "string",
        "pattern": rf"^([0-9]{{1,{LONGEST_CURSOR}}}|{LATEST})$",
        "examples": ["1042"],
    }
)
class CursorField(StrictCharField):
    """Valid data is a position, or `LATEST`."""

    default_error_messages = {
        "invalid_cursor": f"Must be the nextCursor of an answer before, or “{LATEST}”."
    }

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        if text == LATEST:
            return text
        if len(text) > LONGEST_CURSOR or not (text.isascii() and text.isdigit()):
            self.fail("invalid_cursor")
        return int(text)


@extend_schema_field({"type": "string", "examples": ["call.completed,call.failed"]})
class EventTypesField(StrictCharField):
    """Types with commas between them. Valid data has each once."""

    default_error_messages = {"unknown_type": "“{type}” is no type of event."}

    def to_internal_value(self, data: Any) -> Any:
        types = dict.fromkeys(super().to_internal_value(data).split(","))
        for type_ in types:
            if type_ not in FEED_TYPES:
                self.fail("unknown_type", type=type_)
        return list(types)


class EventsQuery(QuerySerializer):
    after = CursorField(
        required=False,
        trim_whitespace=False,
        help_text="The `nextCursor` of the answer before. Without it: from the oldest event that is"
        f" kept. `{LATEST}`: no events, only the cursor of now.",
    )
    limit = QueryIntegerField(
        default=100, min_value=1, max_value=MOST_EVENTS, help_text="Events an answer, at most."
    )
    types = EventTypesField(
        required=False,
        default=(),
        max_length=500,
        trim_whitespace=False,
        help_text="Only events of these types, with commas between them.",
    )


class EventPageSerializer(serializers.Serializer[Any]):
    events = EventsField()
    nextCursor = serializers.CharField(
        source="cursor", help_text="For `after` of the next request. It is always there."
    )
    hasMore = serializers.BooleanField(
        source="has_more", help_text="Ask again at once; events may be few although there are more."
    )


class EventViewSet(ApiViewSet):
    @endpoint(
        Access.READ,
        message="Events fetched successfully",
        query=EventsQuery,
        result=EventPageSerializer,
        errors={410: "Events after this cursor have been deleted: `events_missed`."},
        operation="listEvents",
        tags=["Events"],
        summary="Fetch events",
        description=(
            "What happened, in order and none left out: the same events as webhooks are sent, for 30"
            " days. Keep `nextCursor` once you have dealt with the events, and send it as `after`."
        ),
        examples=[EXAMPLE],
    )
    def list(self, request: Request) -> Response:
        query, now = self.valid_query(), timezone.now()
        workspace_id, after = self.caller.workspace_id, query.get("after")
        if after == LATEST:
            page = latest_cursor(workspace_id, now=now)
        else:
            page = read_feed(
                workspace_id, after=after, types=query["types"], limit=query["limit"], now=now
            )
        return self.answer(EventPageSerializer(page).data)
