"""Forms of numbers and accounts, held to the rules of the API."""

from typing import Any

from django import forms
from rest_framework.exceptions import ErrorDetail, ValidationError
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from calling.api.serializers import AddPhoneSerializer, UpdatePhoneSerializer
from calling.carriers.registry import CARRIERS, SANDBOX_CARRIERS
from calling.models import PhoneNumber
from calling.services.phones import NewPhone
from calling.services.sandboxes import account_in
from workspaces.back_office.confirm import tell
from workspaces.errors import flatten
from workspaces.ids import new_object_id
from workspaces.models import Workspace

# The API's names of what the forms ask for.
FIELDS = {
    "phoneNumber": "number",
    "integration": "carrier",
    "accSId": "account_id",
    "authToken": "auth_token",
    "publicKey": "public_key",
    "agentId": "agent",
    "active": "is_active",
    "concurrencyLimit": "concurrency_limit",
    "dailyCap": "daily_cap",
}
TYPE_AGAIN = "Enter the credentials again: what was typed is not sent back."


def as_fields(error: ValidationError) -> ValidationError:
    """The same refusal by the names of the forms."""
    told: dict[str, list[ErrorDetail]] = {}
    for problem in flatten(error.detail):
        name = FIELDS.get(problem["field"], problem["field"])
        told.setdefault(name, []).append(ErrorDetail(problem["message"], problem["code"]))
    return ValidationError(told)


def secret_field(label: str, **kwargs: Any) -> forms.CharField:
    """Comes in, and never goes out again."""
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"})
    return forms.CharField(label=label, widget=widget, max_length=200, **kwargs)


def public_key_field(help_text: str) -> forms.CharField:
    return forms.CharField(
        label="Public key",
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=help_text,
    )


class AddPhoneForm(forms.Form):
    workspace = forms.ModelChoiceField(
        Workspace.objects.none(), widget=UnfoldAdminSelectWidget(), empty_label="Choose one"
    )
    number = forms.CharField(
        label="Phone number",
        max_length=64,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "inputmode": "tel"}),
        help_text="With its country code, as in +1 212 555 1234.",
    )
    label = forms.CharField(
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="A name for people, if you like.",
    )
    carrier = forms.ChoiceField(widget=UnfoldAdminSelectWidget())
    account_id = secret_field(
        "Account id",
        required=False,
        help_text="Twilio: Account SID. Plivo: Auth ID. Telnyx: account id. The simulator needs none.",
    )
    auth_token = secret_field(
        "Auth token",
        required=False,
        help_text="Twilio and Plivo: Auth Token. Telnyx: API key. The simulator needs none.",
    )
    public_key = public_key_field("Telnyx only: with which it signs what it sends, base64.")

    def __init__(
        self, *args: Any, workspaces: Any, is_sandbox: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["workspace"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 (declared above)
        field.queryset = workspaces
        carriers = [(name, one.title) for name, one in CARRIERS.items()]
        if is_sandbox:
            carriers = [(name, title) for name, title in carriers if name in SANDBOX_CARRIERS]
        self.fields["carrier"].choices = [("", "Choose one"), *carriers]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if {"number", "carrier", "label"} <= values.keys():
            self._phone = self._checked(values)
        if self.errors and (values.get("account_id") or values.get("auth_token")):
            self.add_error(None, TYPE_AGAIN)
        return values

    @property
    def phone(self) -> NewPhone:
        """Of a form that is valid."""
        assert self._phone is not None  # noqa: S101 (an error was added otherwise)
        return self._phone

    def _checked(self, values: dict[str, Any]) -> NewPhone | None:
        # The simulator takes any; of its own, so that all its numbers are of one account.
        default = "" if CARRIERS[values["carrier"]].asks_back else values["carrier"]
        workspace = values.get("workspace")
        own = account_in(workspace.id).account_id if workspace and workspace.is_sandbox else default
        body = {
            "userId": new_object_id(),  # whose number it becomes is settled by the page
            "phoneNumber": values["number"],
            "integration": values["carrier"],
            "accSId": values.get("account_id") or own,
            "authToken": values.get("auth_token") or default,
            "publicKey": values.get("public_key", ""),
            "label": values["label"],
        }
        try:
            phone = AddPhoneSerializer().run_validation(body)["phone"]
        except ValidationError as error:
            tell(self, as_fields(error))
            return None
        assert isinstance(phone, NewPhone)  # noqa: S101 (what the serializer makes)
        return phone


class PhoneNumberForm(forms.ModelForm[PhoneNumber]):
    class Meta:
        model = PhoneNumber
        fields = ["label", "agent", "concurrency_limit", "daily_cap", "is_active"]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        names = {name: api_name for api_name, name in FIELDS.items()} | {"label": "label"}
        body = {names[name]: value for name, value in values.items() if name != "agent"}
        try:
            UpdatePhoneSerializer().run_validation(body)
        except ValidationError as error:
            for problem in flatten(error.detail):
                self.add_error(FIELDS.get(problem["field"], problem["field"]), problem["message"])
        return values


class NewCredentialsForm(forms.Form):
    auth_token = secret_field("New auth token", help_text="Telnyx: API key.")
    public_key = public_key_field("Telnyx only. Blank: the one that is known stays.")


class AllCredentialsForm(NewCredentialsForm):
    """When what is stored cannot be read any more."""

    account_id = secret_field(
        "Account id", help_text="Of the same account: what is stored of it can only be compared."
    )
    field_order = ["account_id", "auth_token", "public_key"]
