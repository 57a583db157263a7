"""TwiML, the markup of Twilio, which Telnyx understands as well (TeXML)."""

from xml.etree.ElementTree import Element, SubElement, tostring

from calling.carriers.answers import Answer, HangUp, Sip, Speak, Stream
from calling.carriers.xml import clean

WAIT_FOR_KEY = "3"  # seconds, after the text


def render(answer: Answer) -> str:
    """`answer` as a TwiML document."""
    response = Element("Response")
    if isinstance(answer, Speak):
        _speak(response, answer)
    elif isinstance(answer, Stream):
        stream = SubElement(SubElement(response, "Connect"), "Stream", {"url": answer.url})
        for name, value in answer.parameters.items():
            SubElement(stream, "Parameter", {"name": clean(name), "value": clean(value)})
    elif isinstance(answer, Sip):
        SubElement(SubElement(response, "Dial"), "Sip").text = answer.uri
    elif isinstance(answer, HangUp):
        SubElement(response, "Hangup")
    return tostring(response, encoding="unicode", xml_declaration=False)


def _speak(response: Element, answer: Speak) -> None:
    parent = response
    if answer.key_url:
        gather = {"numDigits": "1", "timeout": WAIT_FOR_KEY, "input": "dtmf"}
        parent = SubElement(
            response, "Gather", {**gather, "action": answer.key_url, "method": "POST"}
        )
    say = SubElement(parent, "Say", {"language": answer.language} if answer.language else {})
    say.text = clean(answer.text)
    SubElement(response, "Hangup")
