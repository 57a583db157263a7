"""The carriers that are there, by the name that the API calls them `integration`."""

from calling.carriers.base import CarrierAdapter
from calling.carriers.simulator import SIMULATOR

CARRIERS: dict[str, CarrierAdapter] = {"simulator": SIMULATOR}
