from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from batches.admin.kill_switches import KillSwitchPages
from calling.services.sandboxes import create_workspace
from workspaces.admin.workspaces import WorkspaceAdmin
from workspaces.back_office.base import actor_of
from workspaces.models import Workspace

# It is registered by its own app already, which does not know of batches.
admin.site.unregister(Workspace)


@admin.register(Workspace)
class SwitchedWorkspaceAdmin(KillSwitchPages, WorkspaceAdmin):
    change_form_template = "outdial/switched_workspace.html"  # the banner first
    change_form_outer_before_template = WorkspaceAdmin.change_form_outer_before_template  # type: ignore[attr-defined]
    actions_detail = [*WorkspaceAdmin.actions_detail, "kill", "release"]  # type: ignore[attr-defined]

    def create(self, request: HttpRequest, workspace: Workspace) -> None:
        create_workspace(
            workspace=workspace,
            user_id=str(request.user.pk),
            actor=actor_of(request),
            now=timezone.now(),
        )
