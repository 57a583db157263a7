"""Which world a request may speak of: a live workspace also manages its sandbox, never the reverse."""

from rest_framework.exceptions import PermissionDenied

from workspaces.errors import field_error
from workspaces.models import Workspace


def workspace_in(workspace_id: str, environment: str | None) -> Workspace:
    """The workspace itself, or its sandbox, as `environment` says; None: the workspace itself.

    Raises ValidationError (`environment`): `sandbox_stays_inside` when a sandbox asks for what is live,
    `no_sandbox`.
    """
    workspace = Workspace.objects.get(id=workspace_id)
    if environment is None or environment == workspace.environment:
        return workspace
    if workspace.is_sandbox:
        message = "This is a sandbox: live keys are managed in the live workspace."
        raise field_error("environment", message, "sandbox_stays_inside")
    sandbox = Workspace.objects.filter(sandbox_of=workspace).first()
    if sandbox is None:
        raise field_error("environment", "This workspace has no sandbox.", "no_sandbox")
    return sandbox


def refuse_in_sandbox(workspace: Workspace) -> None:
    """For what is settled in the live workspace alone. Raises PermissionDenied."""
    if workspace.is_sandbox:
        raise PermissionDenied("Members are managed in the live workspace.")
