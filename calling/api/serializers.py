"""Shapes of the agent and phone number endpoints. Field names are the API's own."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from calling.api.fields import PhoneNumberField
from calling.carriers.base import Credentials
from calling.carriers.registry import CARRIERS
from calling.models import Agent, ConnectionType, OnVoicemail, PhoneNumber, VariableType
from calling.numbers import digits
from calling.services.phones import NewPhone
from calling.variables import RESERVED_NAMES
from workspaces.api.fields import (
    BoundedListField,
    LineField,
    NameField,
    ObjectIdApiField,
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictIntegerField,
    UtcDateTimeField,
)
from workspaces.api.pagination import PaginationSerializer
from workspaces.api.strict import StrictSerializer
from workspaces.errors import field_error

MAX_VARIABLES = MAX_ENUM_VALUES = 100
# A contact's own fields are no variables either.
RESERVED_KEYS = RESERVED_NAMES | {"phoneNumber", "timezone"}
# The API's name for what a connection leads to.
TARGETS = {
    ConnectionType.MESSAGE: "message",
    ConnectionType.STREAM: "url",
    ConnectionType.SIP: "uri",
}
MAX_CONCURRENCY, MAX_DAILY_CAP = 10_000, 1_000_000


class PatternField(StrictCharField):
    """A text that matches the pattern as a whole."""

    pattern: ClassVar[str]
    longest: ClassVar[int]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=self.longest, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not re.fullmatch(self.pattern, text):
            self.fail("malformed")
        return text


KEY = r"^[0-9]$"
LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
_HOST = r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
STREAM_URL = rf'^wss://{_HOST}([/?][!"$-~]*)?$'
SIP_URI = rf"^sips?:[A-Za-z0-9_.!~*'()&=+$,;?/%-]+@{_HOST}([;?][!-~]*)?$"


@extend_schema_field({"type": "string", "pattern": LANGUAGE, "maxLength": 35})
class LanguageField(PatternField):
    """A language tag, or blank for none."""

    pattern, longest = LANGUAGE, 35
    default_error_messages = {"malformed": "Must be a language tag, as in en-US."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_blank=True, **kwargs)


@extend_schema_field({"type": "string", "pattern": STREAM_URL, "maxLength": 2000})
class StreamUrlField(PatternField):
    pattern, longest = STREAM_URL, 2000
    default_error_messages = {"malformed": "Must be a wss:// URL with a host, without credentials."}


@extend_schema_field({"type": "string", "pattern": SIP_URI, "maxLength": 500})
class SipUriField(PatternField):
    pattern, longest = SIP_URI, 500
    default_error_messages = {"malformed": "Must be sip:user@host or sips:user@host."}


@extend_schema_field({"type": "string", "pattern": KEY, "maxLength": 1})
class KeyField(PatternField):
    pattern, longest = KEY, 1
    default_error_messages = {"malformed": "Must be a digit, 0 to 9."}


@dataclass(frozen=True, slots=True)
class Connection:
    type: str
    target: str


class VariableSerializer(StrictSerializer):
    """What an agent has to know of a contact, or may know."""

    key = LineField(max_length=64, help_text="The name under which a contact carries it.")
    type = StrictChoiceField(VariableType.choices)
    required = StrictBooleanField(  # type: ignore[assignment]  # not the argument of that name
        default=False, help_text="Whether every contact must have it."
    )
    description = StrictCharField(required=False, max_length=1000)
    enum = BoundedListField(
        child=StrictCharField(max_length=200),
        max_length=MAX_ENUM_VALUES,
        required=False,
        help_text="The values of the type `enum`; of no other.",
    )

    def validate_key(self, key: str) -> str:
        if key in RESERVED_KEYS:
            raise serializers.ValidationError("Is a reserved name.", "reserved_name")
        return key

    def validate_enum(self, values: list[str]) -> list[str]:
        if len(set(values)) < len(values):
            raise serializers.ValidationError("Must not repeat a value.", "repeated_value")
        return values

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        is_enum = attrs["type"] == VariableType.ENUM
        if is_enum and "enum" not in attrs:
            raise field_error("enum", "A variable of the type enum needs its values.", "required")
        if "enum" in attrs and not is_enum:
            raise field_error("enum", "Only a variable of the type enum has values.", "other_type")
        return attrs


class VariablesField(BoundedListField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            child=VariableSerializer(), allow_empty=True, max_length=MAX_VARIABLES, **kwargs
        )

    def to_internal_value(self, data: Any) -> Any:
        variables = super().to_internal_value(data)
        keys = [variable["key"] for variable in variables]
        for index, key in enumerate(keys):
            if key in keys[:index]:
                repeated = ErrorDetail("Must not repeat a key.", "repeated_key")
                raise serializers.ValidationError({index: {"key": [repeated]}})  # type: ignore[dict-item]
        return variables


class ConnectionSerializer(StrictSerializer):
    """What an answered call is connected to: `type`, and the one field that goes with it."""

    type = StrictChoiceField(ConnectionType.choices)
    message = StrictCharField(
        required=False,
        max_length=5000,
        help_text="Of a `message`: the text to speak; `{name}` says the variable of that name.",
    )
    url = StreamUrlField(required=False, help_text="Of a `stream`: a wss:// URL.")
    uri = SipUriField(required=False, help_text="Of `sip`: sip:user@host.")

    def validate(self, attrs: dict[str, str]) -> Connection:
        kind = ConnectionType(attrs["type"])
        wanted = TARGETS[kind]
        if others := [name for name in attrs if name not in ("type", wanted)]:
            raise field_error(others[0], f"Does not go with the type {kind}.", "other_type")
        if wanted not in attrs:
            raise field_error(wanted, f"Is required with the type {kind}.", "required")
        return Connection(kind, attrs[wanted])


class OptOutSerializer(StrictSerializer):
    """How somebody who hears the message takes their number off: `null` for not at all."""

    key = KeyField(help_text="The digit to press; the message has to say so itself.")
    message = StrictCharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=500,
        help_text="What is said to confirm it; blank: the call just ends.",
    )


class UpdateAgentSerializer(StrictSerializer):
    """What an agent is; what is left out stays. Validated data: by the names of Agent's fields."""

    name = NameField(required=False)
    language = LanguageField(required=False, help_text="BCP 47, as in en-US; blank: none.")
    variables = VariablesField(required=False, help_text="What it has to know of each contact.")
    connection = ConnectionSerializer(required=False)
    onVoicemail = StrictChoiceField(
        OnVoicemail.choices,
        required=False,
        source="on_voicemail",
        help_text="What is done when an answering machine takes the call.",
    )
    recordCalls = StrictBooleanField(
        required=False, source="records_calls", help_text="Mind the law of those who are called."
    )
    optOut = OptOutSerializer(
        required=False,
        allow_null=True,
        help_text="Of a `message`: who presses this key is not called again.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if connection := attrs.pop("connection", None):
            attrs |= {
                "connection_type": connection.type,
                "connection_target": connection.target,
            }
        if "optOut" in attrs:
            opt_out = attrs.pop("optOut") or {"key": "", "message": ""}
            attrs |= {"opt_out_key": opt_out["key"], "opt_out_message": opt_out["message"]}
        return attrs


class CreateAgentSerializer(UpdateAgentSerializer):
    """A new agent."""

    name = NameField()
    connection = ConnectionSerializer()


class AgentSerializer(serializers.ModelSerializer[Agent]):
    _id = ObjectIdApiField(source="id")
    language = serializers.CharField(help_text="Blank: none.")
    variables = serializers.ListField(child=VariableSerializer())
    connection = serializers.SerializerMethodField()
    onVoicemail = serializers.ChoiceField(OnVoicemail.choices, source="on_voicemail")
    recordCalls = serializers.BooleanField(source="records_calls")
    optOut = serializers.SerializerMethodField()
    createdAt = UtcDateTimeField(source="created_at")
    updatedAt = UtcDateTimeField(source="updated_at")

    class Meta:
        model = Agent
        fields = [
            *("_id", "name", "language", "variables", "connection"),
            *("onVoicemail", "recordCalls", "optOut", "createdAt", "updatedAt"),
        ]

    @extend_schema_field(OptOutSerializer(allow_null=True))
    def get_optOut(self, agent: Agent) -> dict[str, str] | None:
        if not agent.opt_out_key:
            return None
        return {"key": agent.opt_out_key, "message": agent.opt_out_message}

    @extend_schema_field(ConnectionSerializer)
    def get_connection(self, agent: Agent) -> dict[str, str]:
        kind = ConnectionType(agent.connection_type)
        return {"type": kind.value, TARGETS[kind]: agent.connection_target}


class AgentListSerializer(serializers.Serializer[Any]):
    agents = AgentSerializer(many=True)
    pagination = PaginationSerializer()


class IntegrationField(StrictChoiceField):
    """One of the carriers that are registered, whenever that was."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(list(CARRIERS), **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        return (
            data if isinstance(data, str) and data in CARRIERS else super().to_internal_value(data)
        )


class AddPhoneSerializer(StrictSerializer):
    """A number to add. Validated data is its `user_id` and a `NewPhone` as `phone`."""

    userId = ObjectIdApiField(help_text="The member whose number it becomes.")
    phoneNumber = PhoneNumberField(any_country=True, help_text="With its country code.")
    integration = IntegrationField(help_text="`simulator` rings nobody.")
    authToken = NameField(help_text="Of the account with the carrier; never shown again.")
    accSId = NameField(help_text="The account's id with the carrier; never shown again.")
    publicKey = LineField(
        required=False,
        default="",
        allow_blank=True,
        max_length=200,
        help_text="Of a Telnyx account, base64: what its callbacks are verified with.",
    )
    agentId = ObjectIdApiField(required=False, help_text="Who speaks when a call is answered.")
    label = LineField(  # type: ignore[assignment]
        required=False, default="", allow_blank=True, max_length=200
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        phone = NewPhone(
            number=attrs["phoneNumber"],
            carrier=attrs["integration"],
            credentials=Credentials(attrs["accSId"], attrs["authToken"], attrs["publicKey"]),
            label=attrs["label"],
            agent_id=attrs.get("agentId"),
        )
        return {"user_id": attrs["userId"], "phone": phone}


class UpdatePhoneSerializer(StrictSerializer):
    """What may change of a number. Validated data: by the names of PhoneNumber's fields."""

    agentId = ObjectIdApiField(
        required=False, source="agent_id", help_text="Who speaks when a call is answered."
    )
    label = LineField(  # type: ignore[assignment]
        required=False, allow_blank=True, max_length=200
    )
    active = StrictBooleanField(
        required=False, source="is_active", help_text="Whether it may be called from."
    )
    concurrencyLimit = StrictIntegerField(
        required=False,
        source="concurrency_limit",
        min_value=0,
        max_value=MAX_CONCURRENCY,
        help_text="Calls at a time; 0: no limit.",
    )
    dailyCap = StrictIntegerField(
        required=False,
        source="daily_cap",
        min_value=0,
        max_value=MAX_DAILY_CAP,
        help_text="Calls a day; 0: no limit.",
    )


class AddedPhoneSerializer(serializers.ModelSerializer[PhoneNumber]):
    _id = ObjectIdApiField(source="id")
    userId = ObjectIdApiField(source="created_by_id")
    phoneNumber = serializers.SerializerMethodField(help_text="Digits, without a plus.")
    integration = serializers.ChoiceField(list(CARRIERS), source="carrier")
    createdAt = UtcDateTimeField(source="created_at")

    class Meta:
        model = PhoneNumber
        fields = ["_id", "userId", "phoneNumber", "integration", "createdAt"]

    def get_phoneNumber(self, phone: PhoneNumber) -> str:
        return digits(phone.number)


class CarrierProblemSerializer(serializers.Serializer[Any]):
    """What last went wrong with the carrier account of a number."""

    message = serializers.CharField(source="last_error")
    at = UtcDateTimeField(source="last_error_at")
    failures = serializers.IntegerField(
        help_text="In a row; 0: it refused the account, or wanted fewer requests."
    )
    retryAt = UtcDateTimeField(
        source="resting_until", allow_null=True, help_text="No call is placed before."
    )


class PhoneSerializer(AddedPhoneSerializer):
    agentId = ObjectIdApiField(source="agent_id", allow_null=True)
    active = serializers.BooleanField(source="is_active")
    concurrencyLimit = serializers.IntegerField(source="concurrency_limit")
    dailyCap = serializers.IntegerField(source="daily_cap")
    carrierProblem = serializers.SerializerMethodField()
    updatedAt = UtcDateTimeField(source="updated_at")

    class Meta(AddedPhoneSerializer.Meta):
        fields = [
            *("_id", "userId", "phoneNumber", "integration", "label", "agentId", "active"),
            *("concurrencyLimit", "dailyCap", "carrierProblem", "createdAt", "updatedAt"),
        ]

    @extend_schema_field(CarrierProblemSerializer(allow_null=True))
    def get_carrierProblem(self, phone: PhoneNumber) -> dict[str, Any] | None:
        account = phone.account
        if account is None or not account.last_error:
            return None
        return CarrierProblemSerializer(account).data


class PhoneListSerializer(serializers.Serializer[Any]):
    phones = PhoneSerializer(many=True)
    pagination = PaginationSerializer()
