from workspaces.admin.audit import AuditEventAdmin
from workspaces.admin.credentials import AccessTokenAdmin, ApiKeyAdmin
from workspaces.admin.events import EventAdmin
from workspaces.admin.members import MembershipAdmin
from workspaces.admin.people import PersonAdmin
from workspaces.admin.webhook_deliveries import WebhookDeliveryAdmin
from workspaces.admin.webhooks import WebhookEndpointAdmin
from workspaces.admin.workspaces import WorkspaceAdmin

__all__ = [
    "AccessTokenAdmin",
    "ApiKeyAdmin",
    "AuditEventAdmin",
    "EventAdmin",
    "MembershipAdmin",
    "PersonAdmin",
    "WebhookDeliveryAdmin",
    "WebhookEndpointAdmin",
    "WorkspaceAdmin",
]
