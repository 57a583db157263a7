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
from workspaces.models.kill_switch import LONGEST_REASON, KillSwitch
from workspaces.models.user import User
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
    "DialSchedule",
    "KillSwitch",
    "Membership",
    "User",
    "Workspace",
    "every_day",
]
