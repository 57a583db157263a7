"""The theme's classes and decorators, typed as those of Django that they extend (it has no types)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin, TabularInline

    _Function = TypeVar("_Function", bound=Callable[..., Any])

    def action(**options: Any) -> Callable[[_Function], _Function]: ...
    def display(**options: Any) -> Callable[[_Function], _Function]: ...
else:
    from unfold.admin import ModelAdmin, TabularInline
    from unfold.decorators import action, display

__all__ = ["ModelAdmin", "TabularInline", "action", "display"]
