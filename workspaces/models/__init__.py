from workspaces.models.audit import AuditEvent
from workspaces.models.credential import AccessToken, ApiKey
from workspaces.models.user import User
from workspaces.models.workspace import Membership, Workspace

__all__ = ["AccessToken", "ApiKey", "AuditEvent", "Membership", "User", "Workspace"]
