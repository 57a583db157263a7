"""A carrier that rings nobody: for demo, sandbox and tests. `script` has who answers how."""

from calling.carriers.simulator.adapter import REFUSED_TOKEN, Simulator
from calling.carriers.simulator.callbacks import CallbackSender

__all__ = ["REFUSED_TOKEN", "SIMULATOR", "CallbackSender", "Simulator"]

# The one that the registry offers, and whose callbacks the dialer's process sends.
SIMULATOR = Simulator()
