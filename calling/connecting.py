"""What an agent does with an answered call: its settings and a contact's variables as an `Answer`."""

import re
from collections.abc import Mapping
from typing import Any

from calling.carriers.answers import Answer, HangUp, Sip, Speak, Stream
from calling.carriers.base import Detection
from calling.models import Agent, ConnectionType, OnVoicemail

_placeholder = re.compile(r"\{([^{}]+)\}")


def answer_for(
    agent: Agent, variables: Mapping[str, Any], *, record_url: str, key_url: str
) -> Answer:
    """`record_url` and `key_url`: where recordings and pressed keys go, if the agent wants any."""
    records = record_url if agent.records_calls else ""
    match ConnectionType(agent.connection_type):
        case ConnectionType.MESSAGE:
            return Speak(
                text=spoken_text(agent.connection_target, variables),
                language=agent.language,
                key_url=key_url if agent.opt_out_key else "",
                record_url=records,
            )
        case ConnectionType.STREAM:
            parameters = {key: said(value) for key, value in variables.items()}
            return Stream(url=agent.connection_target, parameters=parameters, record_url=records)
        case ConnectionType.SIP:
            return Sip(uri=agent.connection_target, record_url=records)


def detection_for(agent: Agent | None) -> Detection:
    """What the carrier has to find out for this agent before it asks what to do."""
    match agent and OnVoicemail(agent.on_voicemail):
        case None | OnVoicemail.IGNORE:
            return Detection.NONE
        case OnVoicemail.LEAVE_MESSAGE:
            return Detection.END
        case _:
            return Detection.START


def confirmation_of(agent: Agent) -> Answer:
    """What is said to somebody who has opted out."""
    if not agent.opt_out_message:
        return HangUp()
    return Speak(text=agent.opt_out_message, language=agent.language)


def spoken_text(template: str, variables: Mapping[str, Any]) -> str:
    """The text with each `{name}` replaced by the contact's variable; one that is missing: nothing.

    What a variable holds is not looked at again, so braces in it are just spoken.
    """
    return _placeholder.sub(lambda found: said(variables.get(found[1])), template)


def said(value: Any) -> str:
    """A variable as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
