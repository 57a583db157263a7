"""The machine codes of errors that the sources name, found in their syntax trees.

A function with a parameter `code: str` takes one, and so do DRF's; a code that is passed on or has been
computed is no literal, and is noted as such.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.local.running_stack import PROJECT

_DIRECTORIES = ("workspaces", "calling", "batches", "config/api")
_NO_ANSWERS = {"admin", "migrations", "management"}  # forms, and what runs on the console
# Where the code stands among the arguments.
_OF_OTHERS = {"ErrorDetail": 1, "ValidationError": 1, "EmailValidator": 1, "fail": 0}


@dataclass
class Codes:
    """`literal`: where each code stands; `computed`: functions that make one of something else."""

    literal: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    computed: set[str] = field(default_factory=set)


def sources() -> dict[Path, ast.Module]:
    files = [file for name in _DIRECTORIES for file in (PROJECT / name).rglob("*.py")]
    paths = [file.relative_to(PROJECT) for file in files]
    return {
        path: ast.parse((PROJECT / path).read_text())
        for path in sorted(paths)
        if not _NO_ANSWERS.intersection(path.parts)
    }


def codes_in(trees: dict[Path, ast.Module]) -> Codes:
    found, public = Codes(), dict(_OF_OTHERS)
    private = {path: dict(_takers(tree)) for path, tree in trees.items()}
    for takers in private.values():
        public |= {name: place for name, place in takers.items() if not name.startswith("_")}
    for path, tree in trees.items():
        _Reader(path, tree, public | private[path], found).visit(tree)
    return found


def _takers(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Functions and classes that are called with a code, and its place among the arguments."""
    classes = {node.name: node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for name, body in [("", tree.body), *classes.items()]:
        for function in body:
            if isinstance(function, ast.FunctionDef) and (place := _place(function)) is not None:
                called = name if function.name == "__init__" else function.name
                yield called, place - bool(name)


def _place(function: ast.FunctionDef) -> int | None:
    every = [*function.args.args, *function.args.kwonlyargs]
    for place, argument in enumerate(every):
        if argument.arg == "code" and ast.unparse(argument.annotation or ast.Name("")) == "str":
            return place
    return None


class _Reader(ast.NodeVisitor):
    def __init__(self, path: Path, tree: ast.Module, takers: dict[str, int], found: Codes) -> None:
        self.path, self.takers, self.found = path, takers, found
        self.function, self.parameters = "", set[str]()
        self.constants = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outer = self.function, self.parameters
        self.function = node.name
        self.parameters = {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)}
        self.generic_visit(node)
        self.function, self.parameters = outer

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """An exception that names a field has its `default_code` in the answer."""
        assigned = {
            target.id: statement.value
            for statement in node.body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name)
        }
        if "default_code" in assigned and "field" in assigned:
            self._note(assigned["default_code"])
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        named = [target.id for target in node.targets if isinstance(target, ast.Name)]
        if named == ["default_error_messages"] and isinstance(node.value, ast.Dict):
            for key in filter(None, node.value.keys):
                self._note(key)
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
        if {"field", "code", "message"} <= set(keys):
            code = node.values[keys.index("code")]
            if not isinstance(code, ast.Dict):  # the schema of an error
                self._note(code)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        # What a carrier says of a moment is a 503 without a code.
        if name in self.takers and not _has(node, "permanent", value=False):
            self._read(node, self.takers[name])
        self.generic_visit(node)

    def _read(self, node: ast.Call, place: int) -> None:
        arguments: list[ast.expr] = []
        for argument in node.args:
            value = argument.value if isinstance(argument, ast.Starred) else None
            if isinstance(value, ast.Name) and isinstance(
                constant := self.constants.get(value.id), ast.Tuple
            ):
                arguments += constant.elts
            else:
                arguments.append(argument)
        named = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
        starred = [argument for argument in arguments if isinstance(argument, ast.Starred)]
        if given := named or arguments[place : place + 1] or starred:
            self._note(given[0])

    def _note(self, code: ast.expr) -> None:
        if isinstance(code, ast.Name):
            code = self.constants.get(code.id, code)
        if isinstance(code, ast.Constant) and isinstance(code.value, str):
            self.found.literal[code.value].add(str(self.path))
        elif not self._is_passed_on(code):
            self.found.computed.add(f"{self.path}:{self.function}")

    def _is_passed_on(self, code: ast.expr) -> bool:
        """A parameter `code`, `error.code` or `error["code"]`: it was noted where it was made."""
        if isinstance(code, ast.Name):
            return code.id == "code" and code.id in self.parameters
        return ast.unparse(code).endswith((".code", "['code']"))


def _has(node: ast.Call, name: str, *, value: bool) -> bool:
    given = {keyword.arg: keyword.value for keyword in node.keywords}.get(name)
    return isinstance(given, ast.Constant) and given.value is value
