from workspaces.admin.audit import AuditEventAdmin
from workspaces.admin.credentials import AccessTokenAdmin, ApiKeyAdmin
from workspaces.admin.members import MembershipAdmin
from workspaces.admin.people import PersonAdmin
from workspaces.admin.workspaces import WorkspaceAdmin

__all__ = [
    "AccessTokenAdmin",
    "ApiKeyAdmin",
    "AuditEventAdmin",
    "MembershipAdmin",
    "PersonAdmin",
    "WorkspaceAdmin",
]
