from importlib import import_module

from django.apps import AppConfig


class ConfigAppConfig(AppConfig):
    name = "config"
    verbose_name = "Outdial"

    def ready(self) -> None:
        import_module("config.api.schema")  # registers the security schemes with drf-spectacular
        import_module("config.checks")
