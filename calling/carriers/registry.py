"""The carriers that are there, by the name that the API calls them `integration`."""

from calling.carriers.base import CarrierAdapter
from calling.carriers.simulator import SIMULATOR
from calling.models import Carrier

CARRIERS: dict[str, CarrierAdapter] = {Carrier.SIMULATOR.value: SIMULATOR}
