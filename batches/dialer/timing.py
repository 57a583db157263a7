"""How long the dialer waits for what: its settings, read once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """`lease`: how long a claimed call is ours after the moment when it may start. `patience`: without
    a callback for so long, the carrier is asked. `place_within`: seconds for a carrier to answer.
    `look_up_after`: seconds after which an unsure call is looked up, the last look decides.
    `stop_within`: seconds to finish what is being placed when we are asked to stop."""

    lease: timedelta
    patience: timedelta
    place_within: float
    look_up_after: Sequence[float]
    stop_within: float

    @classmethod
    def from_settings(cls) -> "Timing":
        return cls(
            lease=timedelta(seconds=settings.DIALER_LEASE_SECONDS),
            patience=timedelta(seconds=settings.CALLBACK_PATIENCE_SECONDS),
            place_within=settings.DIALER_LEASE_SECONDS / 2,
            look_up_after=settings.UNSURE_LOOKUP_SECONDS,
            stop_within=settings.DIALER_STOP_SECONDS,
        )
