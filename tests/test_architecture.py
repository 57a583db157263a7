"""The rules of the house that no linter knows, held for every file and every model."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

PROJECT = Path(__file__).parent.parent
APPS = ["workspaces", "calling", "batches", "config"]  # each may import those before it
OURS = [model for app in APPS for model in apps.get_app_config(app).get_models()]
LONGEST_FILE, LONGEST_FUNCTION = 400, 40
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((PROJECT / folder).rglob("*.py"))]
    return [path for path in found if "migrations" not in path.parts]


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


every_file = pytest.mark.parametrize("path", sources(*APPS), ids=name_of)
every_model = pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(tree: ast.AST) -> Iterator[str]:
    """The top of every module imported anywhere in it, `if TYPE_CHECKING` and functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import hides which app it is from"
            yield (node.module or "").split(".")[0]


def functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def dotted(node: ast.AST) -> str:
    """`a.b.c` as text; of any other expression only the attributes at its end."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def test_the_rules_look_at_all_there_is() -> None:
    assert {"workspaces/api/views.py", "config/urls.py"} <= {
        name_of(path) for path in sources(*APPS)
    }
    assert {"User", "CallBatch"} <= {model.__name__ for model in OURS}
    folders = {path.parent.name for path in PROJECT.glob("*/apps.py")}
    assert folders == set(APPS), "a new app takes its place in APPS"


# --- Imports --------------------------------------------------------------------------------------


@every_file
def test_imports_go_one_way(path: Path) -> None:
    app = path.relative_to(PROJECT).parts[0]
    later = APPS[APPS.index(app) + 1 :]
    assert not set(imported(tree_of(path))) & {*later, "tests"}


@every_file
def test_no_function_imports_our_own_apps(path: Path) -> None:
    """It would hide a circle."""
    hidden = {name for function in functions(tree_of(path)) for name in imported(function)}
    assert not hidden & set(APPS)


# --- Rows of one workspace ------------------------------------------------------------------------

# What API code may call on a manager besides `for_workspace(…)`: each takes the workspace first.
WORKSPACE_FIRST = {"CallBatch.objects.of_user", "PhoneNumber.objects.active_ids"}
# The workspace itself, by the id of the caller's own.
OWN_WORKSPACE = "Workspace.objects.get(id=caller.workspace_id)"
CALLERS_OWN = {"self.caller.workspace_id", "caller.workspace_id"}


def managers(tree: ast.AST) -> Iterator[ast.Attribute]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"objects", "_default_manager"}:
            yield node


def is_bound_to_the_caller(call: ast.Call) -> bool:
    """Whether the call reaches only rows of the workspace of the caller."""
    called = dotted(call.func)
    if called == "Workspace.objects.get":
        values = [keyword.value for keyword in call.keywords if keyword.arg == "id"]
        return not call.args and [dotted(value) for value in values] in [
            [own] for own in CALLERS_OWN
        ]
    if called.endswith(".objects.for_workspace") or called in WORKSPACE_FIRST:
        first = call.args[0] if call.args else None
        # `self.context["caller"].workspace_id` in a serializer ends the same way.
        return isinstance(first, ast.Attribute) and first.attr == "workspace_id"
    return False


def loose_managers(tree: ast.AST) -> set[int]:
    """The lines where a manager is used in another way."""
    bound = {
        id(call.func.value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and is_bound_to_the_caller(call)
    }
    return {node.lineno for node in managers(tree) if id(node) not in bound}


@pytest.mark.parametrize(
    "path", [path for path in sources(*APPS) if "api" in path.parts], ids=name_of
)
def test_api_code_reaches_only_rows_of_the_callers_workspace(path: Path) -> None:
    assert not loose_managers(tree_of(path)), f"{name_of(path)}: use .objects.for_workspace(…)"


@pytest.mark.parametrize(
    "line",
    [
        "Batch.objects.all()",
        "Batch.objects.get(id=id)",
        "Batch.objects.for_workspace(id)",
        "Batch.objects.for_workspace(request.data['workspace_id'])",
        "Workspace.objects.get(id=id)",
        "Workspace.objects.get(name=caller.workspace_id)",
        "Workspace.objects.filter(id=caller.workspace_id)",
        "manager = Batch.objects",
        "Batch._default_manager.all()",
        "CallBatch.objects.of_user(user_id, caller.workspace_id)",
    ],
)
def test_the_rule_of_rows_sees_what_it_forbids(line: str) -> None:
    assert loose_managers(ast.parse(line))
    assert not loose_managers(ast.parse(OWN_WORKSPACE))


# --- Models ---------------------------------------------------------------------------------------

WITHOUT_WORKSPACE = {
    "Workspace": "is the tenant",
    "User": "a person may belong to several",
    "CarrierLimiter": "one account may be used in several workspaces",
    "SimulatedCall": "is the carrier's, which knows of no workspaces",
}
WITH_OPTIONAL_WORKSPACE = {"AuditEvent": "acts on the installation are no tenant's"}

# Unique constraints and indexes that do not begin with the workspace.
NOT_BY_WORKSPACE = {
    "membership_once": "a login asks for the workspaces of a user",
    "apikey_public_id_once": "found before the workspace is known, by a random id",
    "accesstoken_public_id_once": "found before the workspace is known, by a random id",
    "accesstoken_expires_at": "the nightly clean-up asks across workspaces",
    "auditevent_target": "an id belongs to one workspace; the back office asks across them",
    **dict.fromkeys(
        [
            *("batchnumber_position_once", "batchnumber_phone_once", "batchvariable_position_once"),
            *("batchvariable_name_once", "callcounter_slot_once", "call_number_once"),
            *(
                "call_external_id_once",
                "call_in_order",
                "call_by_status",
                "call_due",
                "callattempt_of_batch",
            ),
        ],
        "a batch belongs to one workspace",
    ),
    "callattempt_of_call": "a call belongs to one workspace",
    "call_due_of_session": "a session belongs to one workspace",
    "lease_look_at": "the dialer looks after attempts across workspaces",
    "lease_of_phone": "an account's calls are counted across workspaces",
    "dialschedule_due": "the dialer asks which workspace is due",
    "callevent_of_call": "a call belongs to one workspace",
    "carriercallback_of_attempt": "an attempt belongs to one workspace",
    "carriercallback_received": "the clean-up asks across workspaces",
    "callattempt_uuid_once": "a carrier's callback knows nothing else",
    "idempotentrequest_created_at": "the clean-up asks across workspaces",
    "webhookdelivery_due": "a webhook belongs to one workspace",
    "webhookdelivery_newest": "a webhook belongs to one workspace",
    "webhookdelivery_by_status": "a webhook belongs to one workspace",
    "webhookattempt_of_delivery": "a delivery belongs to one workspace",
    "import_running": "the clean-up asks across workspaces",
    "importerrorrow_once": "an import belongs to one workspace",
    "contactsfile_created": "the clean-up asks across workspaces",
    "contactsfilepart_once": "a file belongs to one workspace",
}


@every_model
def test_every_row_belongs_to_a_workspace(model: type[models.Model]) -> None:
    fields = {field.name: field for field in model._meta.concrete_fields}
    if model.__name__ in WITHOUT_WORKSPACE:
        assert "workspace" not in fields
        return
    field = fields["workspace"]
    assert isinstance(field, models.ForeignKey)
    assert field.null is (model.__name__ in WITH_OPTIONAL_WORKSPACE)


def keys_of(model: type[models.Model]) -> list[models.Index | models.UniqueConstraint]:
    unique = [one for one in model._meta.constraints if isinstance(one, models.UniqueConstraint)]
    return [*model._meta.indexes, *unique]


@every_model
def test_unique_constraints_and_indexes_begin_with_the_workspace(model: type[models.Model]) -> None:
    if model.__name__ in WITHOUT_WORKSPACE:
        return
    loose = {key.name for key in keys_of(model) if next(iter(key.fields), "") != "workspace"}
    assert not loose - set(NOT_BY_WORKSPACE)
    for field in model._meta.concrete_fields:
        assert field.primary_key or not field.unique, f"{field.name}: name a UniqueConstraint"


def test_every_exception_is_still_one() -> None:
    names = {key.name for model in OURS for key in keys_of(model)}
    assert not set(NOT_BY_WORKSPACE) - names
    assert not {*WITHOUT_WORKSPACE, *WITH_OPTIONAL_WORKSPACE} - {model.__name__ for model in OURS}
    in_api = "".join(path.read_text() for path in sources(*APPS) if "api" in path.parts)
    assert all(call in in_api for call in WORKSPACE_FIRST)


@every_model
def test_constraints_and_indexes_are_named_after_their_model(model: type[models.Model]) -> None:
    for one in (*model._meta.constraints, *model._meta.indexes):
        assert one.name.startswith(f"{model._meta.model_name}_"), one.name
    assert not model._meta.unique_together


@every_model
def test_no_model_has_an_order_or_a_clock_of_its_own(model: type[models.Model]) -> None:
    assert not model._meta.ordering
    for field in model._meta.concrete_fields:
        assert not getattr(field, "auto_now", False), field
        assert not getattr(field, "auto_now_add", False), field


@every_file
def test_our_own_domain_uses_no_signals(path: Path) -> None:
    """`update()` and `bulk_create()` send none, so a receiver would be right by luck."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            called = dotted(node.func)
            is_ours = called in {"receiver", "Signal"} or called.endswith(".connect")
            is_database = called in {"psycopg.connect", "psycopg.AsyncConnection.connect"}
            assert not is_ours or is_database, f"line {node.lineno}"


# --- Clocks and sizes -----------------------------------------------------------------------------

CLOCKS = {
    *("timezone.now", "now", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
    *("time.time", "time.time_ns", "localdate", "timezone.localdate", "localtime", "Now"),
}


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in sources(*APPS)
        if {"services", "querysets", "models"} & {*path.parts, path.stem}
    ],
    ids=name_of,
)
def test_the_clock_comes_in_as_now(path: Path) -> None:
    tree = tree_of(path)
    calls = {dotted(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not calls & (CLOCKS - USER_MANAGER.get(name_of(path), set()))


# Django's own commands (createsuperuser) call the manager, and know of no clock.
USER_MANAGER = {"workspaces/models/user.py": {"timezone.now"}}


@pytest.mark.parametrize("path", sources(*APPS, "tests"), ids=name_of)
def test_no_file_is_too_long_to_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


@every_file
def test_no_function_is_too_long_to_read(path: Path) -> None:
    long = [
        f"{function.name}: {length}"
        for function in functions(tree_of(path))
        if (length := (function.end_lineno or 0) - function.lineno + 1) > LONGEST_FUNCTION
    ]
    assert not long
