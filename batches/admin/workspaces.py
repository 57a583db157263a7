from django.contrib import admin

from batches.admin.kill_switches import KillSwitchPages
from workspaces.admin.workspaces import WorkspaceAdmin
from workspaces.models import Workspace

# It is registered by its own app already, which does not know of batches.
admin.site.unregister(Workspace)


@admin.register(Workspace)
class SwitchedWorkspaceAdmin(KillSwitchPages, WorkspaceAdmin):
    change_form_template = "outdial/switched_workspace.html"  # the banner first
    change_form_outer_before_template = WorkspaceAdmin.change_form_outer_before_template  # type: ignore[attr-defined]
    actions_detail = [*WorkspaceAdmin.actions_detail, "kill", "release"]  # type: ignore[attr-defined]
