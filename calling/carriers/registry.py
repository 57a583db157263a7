"""The carriers that are there, by the name that the API calls them `integration`."""

from calling.carriers.base import CarrierAdapter
from calling.carriers.plivo import PLIVO
from calling.carriers.simulator import SIMULATOR
from calling.carriers.telnyx import TELNYX
from calling.carriers.twilio import TWILIO

CARRIERS: dict[str, CarrierAdapter] = {
    "plivo": PLIVO,
    "twilio": TWILIO,
    "telnyx": TELNYX,
    "simulator": SIMULATOR,
}
SANDBOX_CARRIERS = frozenset({"simulator"})  # they ring nobody: all that a sandbox may call with
