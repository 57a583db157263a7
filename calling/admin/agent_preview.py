"""What a call of an agent will be told: by the very code that tells it to the carrier."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from django.http import QueryDict
from rest_framework.exceptions import ValidationError

from calling.admin.agent_form import AgentForm, checked_agent, is_storable, variable_problem
from calling.carriers.answers import Answer, Sip, Speak, Stream
from calling.carriers.registry import CARRIERS
from calling.connecting import answer_for, confirmation_of
from calling.models import Agent, OnVoicemail, VariableType
from calling.variables import VariableSchema
from workspaces.errors import flatten

# Where a carrier would turn to; the address of a real call names the call.
RECORD_URL, KEY_URL = "https://this-server/recording", "https://this-server/key"


@dataclass(frozen=True, slots=True)
class Preview:
    """`problems`: why there is none, or what is wrong with the samples."""

    agent: Agent | None = None
    answer: Answer | None = None
    problems: list[str] = field(default_factory=list)
    documents: list[tuple[str, str]] = field(default_factory=list)  # carrier and what it is told

    @property
    def kind(self) -> str:
        return {Speak: "message", Stream: "stream", Sip: "sip"}.get(type(self.answer), "")

    @property
    def goodbye(self) -> str:
        """What is said to who presses the key of the opt-out."""
        if self.agent is None or not self.agent.opt_out_key:
            return ""
        told = confirmation_of(self.agent)
        return told.text if isinstance(told, Speak) else ""

    @property
    def on_voicemail(self) -> str:
        return OnVoicemail(self.agent.on_voicemail).label if self.agent else ""


def preview_of(agent: Agent, samples: Mapping[str, str], carriers: Iterable[str]) -> Preview:
    """`samples`: texts by variable, read as cells of a file are; a blank one is no value."""
    schema = VariableSchema([agent])
    values = {}
    for variable in schema.variables:
        text = samples.get(variable.key)
        if text is None:
            text = sample_of(variable.key, variable.type, variable.choices)
        if text != "":
            values[variable.key] = variable.read(text)
    answer = answer_for(agent, values, record_url=RECORD_URL, key_url=KEY_URL)
    return Preview(
        agent=agent,
        answer=answer,
        problems=[f"{key}: {message}" for key, _, message in schema.problems(values)],
        documents=[(CARRIERS[name].title, CARRIERS[name].render(answer)) for name in carriers],
    )


def posted_preview(posted: QueryDict) -> Preview:
    """Of what stands in the form, whether it is saved or not."""
    try:
        variables = json.loads(posted.get("variables") or "[]")
    except (ValueError, RecursionError):
        variables = None
    if variables is None or not is_storable(variables):
        return Preview(problems=["The variables are no valid JSON."])
    values = {name: _plain(posted.get(name, "")) for name in AgentForm.Meta.fields}
    values |= {"name": "Preview", "variables": variables}
    try:
        agent = Agent(**checked_agent({**values, "records_calls": "records_calls" in posted}))
    except ValidationError as error:
        return Preview(problems=[_sentence(problem) for problem in flatten(error.detail)])
    except ValueError:
        return Preview(problems=["Choose how a call is connected."])
    carriers = [name for name in posted.get("carriers", "").split() if name in CARRIERS]
    return preview_of(agent, _samples(posted), carriers)


def default_samples() -> dict[str, str]:
    """By type; a text's sample is its name, and an enum's its first value."""
    return {
        VariableType.NUMBER: "42",
        VariableType.BOOLEAN: "true",
        VariableType.DATE: date.today().isoformat(),  # noqa: DTZ011 (any day will do)
    }


def sample_of(key: str, type_: str, choices: Iterable[str]) -> str:
    first = next(iter(choices), key)
    return default_samples().get(type_, first)


def _samples(posted: QueryDict) -> dict[str, str]:
    try:
        samples = json.loads(posted.get("samples") or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(samples, dict):
        return {}
    return {key: _plain(value) for key, value in samples.items() if isinstance(value, str)}


def _sentence(problem: Mapping[str, str]) -> str:
    path, message = problem["field"], problem["message"]
    start, _, rest = path.partition("[")
    if start == "variables" and rest:
        row, _, column = rest.partition("]")
        return variable_problem(int(row), column.strip(".").partition("[")[0], message)
    return message


def _plain(text: str | None) -> str:
    """No half characters: the answer is UTF-8."""
    return (text or "").encode(errors="replace").decode()
