from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from calling.api import examples, serializers
from calling.models import Agent, PhoneNumber
from calling.services.agents import create_agent, delete_agent, update_agent
from calling.services.phones import add_phone, update_phone
from workspaces.api.base import ApiViewSet
from workspaces.api.endpoint import endpoint
from workspaces.api.pagination import page_data
from workspaces.api.serializers import DeletedSerializer
from workspaces.api.strict import PageQuery
from workspaces.permissions import Access

AGENTS = ["Agents"]
PHONES = ["Phone numbers"]


class AgentViewSet(ApiViewSet):
    @endpoint(
        Access.READ,
        message="Agents fetched successfully",
        query=PageQuery,
        result=serializers.AgentListSerializer,
        operation="listAgents",
        tags=AGENTS,
        summary="List agents",
        description="Newest first.",
    )
    def list(self, request: Request) -> Response:
        agents = Agent.objects.for_workspace(self.caller.workspace_id)
        query = self.valid_query()
        newest_first = agents.order_by("-created_at", "-id")
        data = page_data("agents", newest_first, agents.count(), query)
        return self.answer(serializers.AgentListSerializer(data).data)

    @endpoint(
        Access.STEER,
        message="Agent created successfully",
        body=serializers.CreateAgentSerializer,
        result=serializers.AgentSerializer,
        status=201,
        operation="createAgent",
        tags=AGENTS,
        summary="Create an agent",
        description=(
            "Who speaks when a call is answered, and what it has to know of each contact: every"
            " `{name}` in a message is one of the variables."
        ),
        examples=examples.CREATE_AGENT,
    )
    def create(self, request: Request) -> Response:
        agent = create_agent(
            workspace_id=self.caller.workspace_id,
            user_id=self.caller.user_id,
            values=self.valid_body(),
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer(serializers.AgentSerializer(agent).data)

    @endpoint(
        Access.READ,
        message="Agent fetched successfully",
        result=serializers.AgentSerializer,
        etag=True,
        operation="getAgent",
        tags=AGENTS,
        summary="Get an agent",
    )
    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002 (the path's name)
        agent_id = self.path_id("id")
        agents = Agent.objects.for_workspace(self.caller.workspace_id)
        agent = get_object_or_404(agents, id=agent_id)
        return self.answer(_agent(agent))

    @endpoint(
        Access.STEER,
        message="Agent updated successfully",
        body=serializers.UpdateAgentSerializer,
        result=serializers.AgentSerializer,
        etag=True,
        operation="updateAgent",
        tags=AGENTS,
        summary="Update an agent",
        description="What is left out stays. Calls that are answered from now on follow.",
    )
    def update(self, request: Request, id: str) -> Response:  # noqa: A002 (the path's name)
        agent_id = self.path_id("id")
        agent = update_agent(
            workspace_id=self.caller.workspace_id,
            agent_id=agent_id,
            changes=self.valid_body(),
            actor=self.caller.actor,
            now=timezone.now(),
            precondition=self.precondition(_agent),
        )
        return self.answer(_agent(agent))

    @endpoint(
        Access.STEER,
        message="Agent deleted successfully",
        result=DeletedSerializer,
        errors={400: "A malformed id, or an agent that still stands behind phone numbers."},
        etag=True,
        operation="deleteAgent",
        tags=AGENTS,
        summary="Delete an agent",
        description="Put another agent behind its phone numbers first.",
    )
    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002 (the path's name)
        agent_id = self.path_id("id")
        delete_agent(
            workspace_id=self.caller.workspace_id,
            agent_id=agent_id,
            actor=self.caller.actor,
            now=timezone.now(),
            precondition=self.precondition(_agent),
        )
        return self.answer({"deletedId": agent_id})


class PhoneViewSet(ApiViewSet):
    @endpoint(
        Access.STEER,
        message="Phone number added successfully",
        body=serializers.AddPhoneSerializer,
        result=serializers.AddedPhoneSerializer,
        status=201,
        errors={
            404: "The user is no active member of the workspace.",
            503: "The database or the carrier is away; see `Retry-After`.",
        },
        idempotent=True,
        operation="addPhone",
        tags=PHONES,
        summary="Add a phone number",
        description=(
            "The credentials are checked with the carrier before anything is stored, kept encrypted"
            " and never returned. Those of an account that is known already replace the old ones."
        ),
        examples=examples.ADD_PHONE,
    )
    def create(self, request: Request) -> Response:
        phone = add_phone(
            workspace_id=self.caller.workspace_id,
            **self.valid_body(),
            actor=self.caller.actor,
            now=timezone.now(),
        )
        return self.answer(serializers.AddedPhoneSerializer(phone).data)

    @endpoint(
        Access.READ,
        message="Phone numbers fetched successfully",
        query=PageQuery,
        result=serializers.PhoneListSerializer,
        operation="listPhones",
        tags=PHONES,
        summary="List phone numbers",
        description="Newest first, the inactive ones as well.",
    )
    def list(self, request: Request) -> Response:
        phones, query = self._phones(), self.valid_query()
        newest_first = phones.order_by("-created_at", "-id")
        data = page_data("phones", newest_first, phones.count(), query)
        return self.answer(serializers.PhoneListSerializer(data).data)

    @endpoint(
        Access.READ,
        message="Phone number fetched successfully",
        result=serializers.PhoneSerializer,
        etag=True,
        operation="getPhone",
        tags=PHONES,
        summary="Get a phone number",
    )
    def retrieve(self, request: Request, phoneId: str) -> Response:
        phone = get_object_or_404(self._phones(), id=self.path_id("phoneId"))
        return self.answer(_phone(phone))

    @endpoint(
        Access.STEER,
        message="Phone number updated successfully",
        body=serializers.UpdatePhoneSerializer,
        result=serializers.PhoneSerializer,
        etag=True,
        operation="updatePhone",
        tags=PHONES,
        summary="Update a phone number",
        description="What is left out stays. A number that is not active is not called from.",
    )
    def update(self, request: Request, phoneId: str) -> Response:
        phone_id = self.path_id("phoneId")
        phone = update_phone(
            workspace_id=self.caller.workspace_id,
            phone_id=phone_id,
            changes=self.valid_body(),
            actor=self.caller.actor,
            now=timezone.now(),
            precondition=self.precondition(_phone),
        )
        return self.answer(_phone(phone))

    def _phones(self) -> QuerySet[PhoneNumber]:
        phones = PhoneNumber.objects.for_workspace(self.caller.workspace_id)
        return phones.select_related("account").defer("account__credentials")


def _agent(agent: Agent) -> Any:
    return serializers.AgentSerializer(agent).data


def _phone(phone: PhoneNumber) -> Any:
    return serializers.PhoneSerializer(phone).data
