"""What npm's tools say of the OpenAPI document: Spectral's lint, and types that TypeScript compiles."""

from pathlib import Path

import pytest

from tests.cast import Api
from tests.clients.generate import (
    BUILD,
    Failed,
    RegistryUnreachable,
    lint,
    npm_tools,
    typescript_types,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def tools() -> Path:
    try:
        return npm_tools()
    except RegistryUnreachable as error:
        pytest.skip(
            "npm's registry cannot be reached: neither linted the OpenAPI document nor compiled its"
            f" TypeScript types. {str(error).splitlines()[0]}"
        )


@pytest.fixture
def document(api: Api, tmp_path: Path) -> Path:
    path = tmp_path / "openapi.yaml"
    path.write_bytes(api.get("/api/schema").content)
    return path


@pytest.mark.django_db
def test_the_document_has_no_lint(document: Path, tools: Path) -> None:
    lint(document, tools)
    text = document.read_text()
    document.write_text(text.replace("operationId: createBatch", "operationId: startCalling"))
    with pytest.raises(Failed, match="operation-operationId-unique"):
        lint(document, tools)


@pytest.mark.django_db
def test_the_types_compile_with_a_customers_code(document: Path, tools: Path) -> None:
    types = typescript_types(document, tools)
    assert types.is_relative_to(BUILD)
    text = document.read_text()
    document.write_text(text.replace("callIds:", "ids:"))
    with pytest.raises(Failed, match="callIds"):
        typescript_types(document, tools)
