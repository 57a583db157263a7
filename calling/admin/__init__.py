from calling.admin.accounts import CarrierAccountAdmin
from calling.admin.agents import AgentAdmin
from calling.admin.numbers import PhoneNumberAdmin

__all__ = ["AgentAdmin", "CarrierAccountAdmin", "PhoneNumberAdmin"]
