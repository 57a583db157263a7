from workspaces.models.audit import AuditEvent
from workspaces.models.calling_window import (
    EVERY_DAY,
    MINUTES_PER_DAY,
    CallingHour,
    CallingWindow,
    DaysAreDistinct,
    every_day,
)
from workspaces.models.credential import AccessToken, ApiKey
from workspaces.models.dial_schedule import DialSchedule
from workspaces.models.event import Event, EventFeed, EventType
from workspaces.models.idempotency import IdempotentRequest
from workspaces.models.kill_switch import LONGEST_REASON, KillSwitch
from workspaces.models.rate_limit import RateWindow
from workspaces.models.user import User
from workspaces.models.webhook import (
    DeliveryStatus,
    DisabledReason,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from workspaces.models.workspace import Membership, Workspace

__all__ = [
    "EVERY_DAY",
    "LONGEST_REASON",
    "MINUTES_PER_DAY",
    "AccessToken",
    "ApiKey",
    "AuditEvent",
    "CallingHour",
    "CallingWindow",
    "DaysAreDistinct",
    "DeliveryStatus",
    "DialSchedule",
    "DisabledReason",
    "Event",
    "EventFeed",
    "EventType",
    "IdempotentRequest",
    "KillSwitch",
    "Membership",
    "RateWindow",
    "User",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "Workspace",
    "every_day",
]
