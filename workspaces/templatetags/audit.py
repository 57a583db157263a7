"""Audit events in words."""

from django import template

from workspaces.back_office import words
from workspaces.models import AuditEvent

register = template.Library()


@register.filter
def action_in_words(action: str) -> str:
    return words.action_in_words(action)


@register.filter
def credential_in_words(event: AuditEvent) -> str:
    return words.credential_in_words(event.credential_kind, event.credential)
