"""How it stands with a number or an account, in words."""

from dataclasses import dataclass
from datetime import datetime

from calling.carriers.registry import CARRIERS
from calling.models import CarrierAccount, PhoneNumber
from workspaces.templatetags.back_office import moment


@dataclass(frozen=True, slots=True)
class State:
    """`variant`: a colour of the theme's labels."""

    word: str
    variant: str
    sentence: str = ""


def title_of(carrier: str) -> str:
    adapter = CARRIERS.get(carrier)
    return adapter.title if adapter else carrier


def state_of_account(account: CarrierAccount, now: datetime) -> State:
    """The circuit breaker. What the carrier said, and the kill switch, are told beside it."""
    row = f" {_in_a_row(account.failures)}." if account.failures else ""
    if account.resting_until is not None and account.resting_until > now:
        until = f"No call is placed until {moment(account.resting_until)}."
        return State("resting", "warning", f"{until}{row}")
    if account.failures:
        sentence = f"{_in_a_row(account.failures)}. The next call tries whether it is well again."
        return State("failing", "warning", sentence)
    if account.resting_until is not None:
        sentence = "It wanted fewer requests. The next call tries whether it is well again."
        return State("trying again", "warning", sentence)
    if account.last_error:
        since = moment(account.last_error_at)
        return State("refused", "danger", f"The carrier refuses the account since {since}.")
    return State("well", "success", "The carrier takes its calls.")


def state_of_number(phone: PhoneNumber) -> State:
    if not phone.is_active:
        return State("off", "danger", "Switched off: no batch calls from it.")
    switches = {
        "this number": phone,
        "its carrier account": phone.account,
        "its workspace": phone.workspace,
    }
    for whose, switch in switches.items():
        if switch is not None and switch.is_killed:
            reason = f"The kill switch of {whose} is on: {switch.kill_reason}"
            return State("kill switch", "danger", reason)
    return State("active", "success", "Batches may call from it.")


def _in_a_row(failures: int) -> str:
    return "1 failure" if failures == 1 else f"{failures} failures in a row"
