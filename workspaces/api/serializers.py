"""Shapes of the sign-in and workspace endpoints. Field names are the API's own."""

from datetime import datetime
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from django.utils import timezone
from phonenumbers import SUPPORTED_REGIONS
from rest_framework import serializers

from workspaces.api.calling_window import CallingHourField, CallingHourSerializer, DaysField
from workspaces.api.fields import (
    BoundedListField,
    NameField,
    ObjectIdApiField,
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictEmailField,
    StrictIntegerField,
    TimezoneField,
    UtcDateTimeField,
)
from workspaces.api.pagination import PaginationSerializer
from workspaces.api.strict import PageQuery, StrictSerializer
from workspaces.callers import Environment, Role, Scope
from workspaces.models import ApiKey, Membership, User, Workspace

MAX_CONCURRENCY, MAX_CONTACT_CAP = 100_000, 1_000


class LoginSerializer(StrictSerializer):
    email = StrictCharField(max_length=254)
    password = StrictCharField(max_length=1024, trim_whitespace=False)
    workspaceId = ObjectIdApiField(
        required=False, help_text="Needed by members of several workspaces."
    )


class LoginResultSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="Send it as `Authorization: Bearer TOKEN`.")
    userId = ObjectIdApiField()
    workspaceId = ObjectIdApiField()
    expiresAt = UtcDateTimeField()


class UserSerializer(serializers.ModelSerializer[User]):
    _id = ObjectIdApiField(source="id")

    class Meta:
        model = User
        fields = ["_id", "email", "name"]


class CountryField(StrictCharField):
    """An ISO 3166 code of a country that has phone numbers."""

    default_error_messages = {"unknown_country": "Must be a code of a country, as in US."}

    def to_internal_value(self, data: Any) -> str:
        code = super().to_internal_value(data)
        if code not in SUPPORTED_REGIONS:
            self.fail("unknown_country")
        return code


class WorkspaceSerializer(serializers.ModelSerializer[Workspace]):
    _id = ObjectIdApiField(source="id")
    calledCountries = serializers.ListField(
        source="called_countries",
        child=serializers.CharField(),
        help_text="ISO 3166 codes; none: the countries of its own numbers.",
    )
    startWhenCallsAdded = serializers.BooleanField(source="start_when_calls_added")
    dncEnabled = serializers.BooleanField(
        source="dnc_enabled", help_text="Whether every batch honours the do-not-call list."
    )
    concurrencyLimit = serializers.IntegerField(source="concurrency_limit")
    contactDailyCap = serializers.IntegerField(source="contact_daily_cap")
    callingHour = CallingHourField(source="*")
    allowedDays = serializers.ListField(child=serializers.IntegerField(), source="allowed_days")
    createdAt = UtcDateTimeField(source="created_at")
    updatedAt = UtcDateTimeField(source="updated_at")
    environment = serializers.ChoiceField(
        Environment.choices, help_text="`test`: this is a sandbox, which rings nobody."
    )
    sandboxId = ObjectIdApiField(
        source="sandbox_id",
        allow_null=True,
        help_text="Of a live workspace: its sandbox, a workspace of its own.",
    )

    class Meta:
        model = Workspace
        fields = [
            *("_id", "name", "timezone", "calledCountries", "startWhenCallsAdded", "dncEnabled"),
            *("concurrencyLimit", "contactDailyCap", "callingHour", "allowedDays"),
            *("createdAt", "updatedAt", "environment", "sandboxId"),
        ]


class UpdateWorkspaceSerializer(StrictSerializer):
    """What may change of a workspace. Validated data: by the names of Workspace's fields."""

    name = NameField(required=False)
    timezone = TimezoneField(required=False, help_text="For batches that name none.")
    calledCountries = BoundedListField(
        required=False,
        source="called_countries",
        child=CountryField(),
        allow_empty=True,
        max_length=len(SUPPORTED_REGIONS),
        help_text="ISO 3166 codes; none: the countries of its own numbers.",
    )
    startWhenCallsAdded = StrictBooleanField(
        required=False,
        source="start_when_calls_added",
        help_text="Whether adding calls to a batch starts it.",
    )
    concurrencyLimit = StrictIntegerField(
        required=False,
        source="concurrency_limit",
        min_value=0,
        max_value=MAX_CONCURRENCY,
        help_text="Calls at a time, over all batches; 0: no limit.",
    )
    contactDailyCap = StrictIntegerField(
        required=False,
        source="contact_daily_cap",
        min_value=0,
        max_value=MAX_CONTACT_CAP,
        help_text="Attempts on one contact's number in 24 hours, over all batches; 0: no limit.",
    )
    callingHour = CallingHourSerializer(
        required=False,
        help_text="For every batch, whose own can only narrow it; 00:00 to 24:00 takes it away.",
    )
    allowedDays = DaysField(
        required=False,
        source="allowed_days",
        help_text="0 = Sunday … 6 = Saturday; for every batch, whose own can only narrow them.",
    )

    def validate_calledCountries(self, codes: list[str]) -> list[str]:
        if len(set(codes)) < len(codes):
            raise serializers.ValidationError("Must not repeat a country.", "repeated_country")
        return sorted(codes)

    def validate_allowedDays(self, days: list[int]) -> list[int]:
        return sorted(days)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        hour = attrs.pop("callingHour", None)
        return {**attrs, **(hour.columns() if hour else {})}


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    _id = ObjectIdApiField(source="id")
    prefix = serializers.CharField(help_text="The part that may be shown.")
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices))
    createdBy = ObjectIdApiField(source="created_by_id", help_text="The user as whom it acts.")
    createdAt = UtcDateTimeField(source="created_at")
    expiresAt = UtcDateTimeField(source="expires_at", allow_null=True)
    lastUsedAt = UtcDateTimeField(
        source="last_used_at", allow_null=True, help_text="To the minute."
    )
    environment = serializers.ChoiceField(
        Environment.choices, source="workspace.environment", help_text="`test`: for the sandbox."
    )

    class Meta:
        model = ApiKey
        fields = [
            "_id",
            "name",
            "prefix",
            "scopes",
            "createdBy",
            "createdAt",
            "expiresAt",
            "lastUsedAt",
            "environment",
        ]


class NewApiKeySerializer(ApiKeySerializer):
    apiKey = serializers.CharField(source="text", help_text="The key itself: shown this once.")

    class Meta(ApiKeySerializer.Meta):
        *fields, environment = ApiKeySerializer.Meta.fields
        fields = [*fields, "apiKey", environment]


class CreateApiKeySerializer(StrictSerializer):
    name = NameField(help_text="What the key is for.")
    scopes = BoundedListField(child=StrictChoiceField(Scope.choices), max_length=len(Scope))
    expiresAt = UtcDateTimeField(required=False, help_text="Default: it does not expire.")
    environment = StrictChoiceField(
        Environment.choices,
        required=False,
        help_text="`test`: for the sandbox. Default: where the caller is.",
    )

    def validate_expiresAt(self, moment: datetime) -> datetime:
        if moment <= timezone.now():
            raise serializers.ValidationError("Must be in the future.", "not_in_future")
        return moment


class ApiKeyListQuery(PageQuery):
    environment = StrictChoiceField(
        Environment.choices,
        required=False,
        help_text="`test`: those of the sandbox. Default: where the caller is.",
    )


class ApiKeyListSerializer(serializers.Serializer[Any]):
    apiKeys = ApiKeySerializer(many=True)
    pagination = PaginationSerializer()


class MemberSerializer(serializers.ModelSerializer[Membership]):
    _id = ObjectIdApiField(source="user_id", help_text="The user's id.")
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.name")
    isActive = serializers.BooleanField(source="user.is_active")
    role = serializers.ChoiceField(Role.choices)
    createdAt = UtcDateTimeField(source="created_at", help_text="Member since.")

    class Meta:
        model = Membership
        fields = ["_id", "email", "name", "role", "isActive", "createdAt"]


class MemberListSerializer(serializers.Serializer[Any]):
    members = MemberSerializer(many=True)
    pagination = PaginationSerializer()


class AddMemberSerializer(StrictSerializer):
    email = StrictEmailField(max_length=254)
    name = NameField(required=False, help_text="Of a user who does not exist yet.")
    password = StrictCharField(
        required=False,
        default=None,
        max_length=1024,
        trim_whitespace=False,
        help_text="Of a user who does not exist yet; without it only the back office can set one.",
    )
    role = StrictChoiceField(Role.choices, default=Role.MEMBER)

    def validate_password(self, password: str | None) -> str | None:
        if password is not None:
            try:
                validate_password(password)
            except DjangoValidationError as error:
                raise serializers.ValidationError(error.messages, "weak_password") from error
        return password


class ChangeRoleSerializer(StrictSerializer):
    role = StrictChoiceField(Role.choices)


class MeSerializer(serializers.Serializer[Any]):
    """`role` for a user's token, `apiKey` for a key."""

    user = UserSerializer()
    workspace = WorkspaceSerializer()
    role = serializers.ChoiceField(Role.choices, required=False)
    apiKey = ApiKeySerializer(required=False)


class DeletedSerializer(serializers.Serializer[Any]):
    deletedId = ObjectIdApiField()
