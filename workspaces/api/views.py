from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from workspaces.api import serializers
from workspaces.api.base import ApiViewSet
from workspaces.api.endpoint import endpoint
from workspaces.api.pagination import page_data
from workspaces.api.strict import PageQuery
from workspaces.callers import Actor, Role
from workspaces.client import client_ip, request_id_of
from workspaces.models import AccessToken, ApiKey, Membership, Workspace
from workspaces.permissions import Access
from workspaces.services.credentials import create_api_key, living_keys, revoke
from workspaces.services.logins import log_in
from workspaces.services.members import add_member, change_role, remove_member
from workspaces.services.workspaces import update_workspace

SIGN_IN = ["Sign in"]
WORKSPACE = ["Workspace"]


class AuthViewSet(ApiViewSet):
    @endpoint(
        Access.PUBLIC,
        message="Logged in successfully",
        body=serializers.LoginSerializer,
        result=serializers.LoginResultSerializer,
        errors={
            401: "Wrong e-mail or password.",
            403: "The user is no member of this (active) workspace.",
            429: "Too many failed logins.",
        },
        operation="login",
        tags=SIGN_IN,
        summary="Log in",
        description="A Bearer token for one workspace.",
    )
    def login(self, request: Request) -> Response:
        body = self.valid_body()
        now = timezone.now()
        text, token = log_in(
            request=request._request,
            email=body["email"],
            password=body["password"],
            workspace_id=body.get("workspaceId"),
            actor=Actor(ip=client_ip(request._request), request_id=request_id_of(request._request)),
            now=now,
        )
        result = {
            "token": text,
            "userId": token.user_id,
            "workspaceId": token.workspace_id,
            "expiresAt": token.expires_at,
        }
        return self.answer(serializers.LoginResultSerializer(result).data)

    @endpoint(
        Access.TOKEN,
        message="Logged out successfully",
        operation="logout",
        tags=SIGN_IN,
        summary="Log out",
        description="Ends the token that the request carries.",
    )
    def logout(self, request: Request) -> Response:
        revoke(
            model=AccessToken,
            workspace_id=self.caller.workspace_id,
            credential_id=self.caller.credential_id,
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer()

    @endpoint(
        Access.ANY,
        message="Caller fetched successfully",
        result=serializers.MeSerializer,
        etag=True,
        operation="getCaller",
        tags=SIGN_IN,
        summary="Who am I?",
        description="The user and the workspace, with the role of a token or the scopes of a key.",
    )
    def me(self, request: Request) -> Response:
        caller = self.caller
        me: dict[str, Any] = {
            "user": request.user,
            "workspace": Workspace.objects.get(id=caller.workspace_id),
        }
        if caller.is_key:
            keys = ApiKey.objects.for_workspace(caller.workspace_id)
            me["apiKey"] = keys.select_related("workspace").get(id=caller.credential_id)
        else:
            me["role"] = caller.role
        return self.answer(serializers.MeSerializer(me).data)


class WorkspaceViewSet(ApiViewSet):
    @endpoint(
        Access.READ,
        message="Workspace fetched successfully",
        result=serializers.WorkspaceSerializer,
        etag=True,
        operation="getWorkspace",
        tags=WORKSPACE,
        summary="Get the workspace",
    )
    def retrieve(self, request: Request) -> Response:
        workspace = Workspace.objects.get(id=self.caller.workspace_id)
        return self.answer(_workspace(workspace))

    @endpoint(
        Access.STEER,
        message="Workspace updated successfully",
        body=serializers.UpdateWorkspaceSerializer,
        result=serializers.WorkspaceSerializer,
        etag=True,
        operation="updateWorkspace",
        tags=WORKSPACE,
        summary="Update the workspace",
    )
    def update(self, request: Request) -> Response:
        workspace = update_workspace(
            workspace_id=self.caller.workspace_id,
            changes=self.valid_body(),
            actor=self.caller.actor,
            now=timezone.now(),
            precondition=self.precondition(_workspace),
        )
        return self.answer(_workspace(workspace))


def _workspace(workspace: Workspace) -> Any:
    return serializers.WorkspaceSerializer(workspace).data


class ApiKeyViewSet(ApiViewSet):
    @endpoint(
        Access.KEYS,
        message="API keys fetched successfully",
        query=serializers.ApiKeyListQuery,
        result=serializers.ApiKeyListSerializer,
        operation="listApiKeys",
        tags=WORKSPACE,
        summary="List API keys",
        description="Newest first, without the revoked ones. A live workspace sees its sandbox's, too.",
    )
    def list(self, request: Request) -> Response:
        query = self.valid_query()
        keys = living_keys(self.caller.workspace_id, query.get("environment"))
        newest_first = keys.order_by("-created_at", "-id")
        data = page_data("apiKeys", newest_first, keys.count(), query)
        return self.answer(serializers.ApiKeyListSerializer(data).data)

    @endpoint(
        Access.KEYS,
        message="API key created successfully",
        body=serializers.CreateApiKeySerializer,
        result=serializers.NewApiKeySerializer,
        status=201,
        operation="createApiKey",
        tags=WORKSPACE,
        summary="Create an API key",
        description=(
            "The only answer that shows the key. It acts as the user who creates it. Of the environment"
            " `test` it works in the sandbox, and there alone."
        ),
    )
    def create(self, request: Request) -> Response:
        body = self.valid_body()
        text, key = create_api_key(
            workspace_id=self.caller.workspace_id,
            user_id=self.caller.user_id,
            name=body["name"],
            scopes=body["scopes"],
            expires_at=body.get("expiresAt"),
            environment=body.get("environment"),
            actor=self.caller.actor,
            now=timezone.now(),
        )
        key.text = text  # type: ignore[attr-defined]  # for the serializer, never stored
        return self.answer(serializers.NewApiKeySerializer(key).data)

    @endpoint(
        Access.KEYS,
        message="API key revoked successfully",
        result=serializers.DeletedSerializer,
        operation="revokeApiKey",
        tags=WORKSPACE,
        summary="Revoke an API key",
        description="At once, for good. A live workspace revokes its sandbox's, too.",
    )
    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002 (the path's name)
        key_id = self.path_id("id")
        revoke(
            model=ApiKey,
            workspace_id=self.caller.workspace_id,
            credential_id=key_id,
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer({"deletedId": key_id})


class MemberViewSet(ApiViewSet):
    @endpoint(
        Access.READ,
        message="Members fetched successfully",
        query=PageQuery,
        result=serializers.MemberListSerializer,
        operation="listMembers",
        tags=WORKSPACE,
        summary="List members",
        description="Newest first.",
    )
    def list(self, request: Request) -> Response:
        members = Membership.objects.for_workspace(self.caller.workspace_id)
        query = self.valid_query()
        newest_first = members.select_related("user").order_by("-created_at", "-id")
        data = page_data("members", newest_first, members.count(), query)
        return self.answer(serializers.MemberListSerializer(data).data)

    @endpoint(
        Access.STEER,
        message="Member added successfully",
        body=serializers.AddMemberSerializer,
        result=serializers.MemberSerializer,
        status=201,
        operation="addMember",
        tags=WORKSPACE,
        summary="Add a member",
        description=(
            "By e-mail. A user who does not exist yet is created with this name and password;"
            " an existing one keeps theirs. Only an owner adds owners."
        ),
    )
    def create(self, request: Request) -> Response:
        body = self.valid_body()
        membership = add_member(
            workspace_id=self.caller.workspace_id,
            email=body["email"],
            name=body.get("name", ""),
            password=body["password"],
            role=Role(body["role"]),
            granted_by=self.caller.role,
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer(serializers.MemberSerializer(membership).data)

    @endpoint(
        Access.STEER,
        message="Member updated successfully",
        body=serializers.ChangeRoleSerializer,
        result=serializers.MemberSerializer,
        operation="changeMemberRole",
        tags=WORKSPACE,
        summary="Change a member's role",
        description="Only an owner makes or unmakes owners; the last one stays.",
    )
    def update(self, request: Request, id: str) -> Response:  # noqa: A002 (the path's name)
        user_id = self.path_id("id")
        membership = change_role(
            workspace_id=self.caller.workspace_id,
            user_id=user_id,
            role=Role(self.valid_body()["role"]),
            granted_by=self.caller.role,
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer(serializers.MemberSerializer(membership).data)

    @endpoint(
        Access.STEER,
        message="Member removed successfully",
        result=serializers.DeletedSerializer,
        operation="removeMember",
        tags=WORKSPACE,
        summary="Remove a member",
        description="The member's keys and tokens of this workspace and its sandbox end at once.",
    )
    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002 (the path's name)
        user_id = self.path_id("id")
        remove_member(
            workspace_id=self.caller.workspace_id,
            user_id=user_id,
            granted_by=self.caller.role,
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer({"deletedId": user_id})
