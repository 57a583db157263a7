"""OpenAPI links: which id of an answer is what the next request asks about.

For readers, for tools that chain requests, and for the test that does so.
"""

from typing import Any

_ID = "$response.body#/data/_id"
_BATCH = "$response.body#/data"
_NUMBER = "$response.body#/data/phones/0/_id"

# By the operation that answers: what of the answer goes into which parameter, or field of the body, of
# which operations.
LINKS: dict[str, list[tuple[str, str, list[str]]]] = {
    "createBatch": [
        (_BATCH, "id", ["batchDetails"]),
        (
            _BATCH,
            "batchId",
            [
                *("addCallsToBatch", "batchPreflight", "startCalling", "stopCalling", "batchStats"),
                *("updateBatch", "retryCalls", "exportCsv", "exportNdjson", "deleteBatch"),
            ],
        ),
    ],
    "addCallsToBatch": [
        ("$response.body#/data/callIds/0", "callId", ["callDetails"]),
        ("$response.header.X-Import-Id", "importId", ["getImport", "importErrors"]),
    ],
    "getCaller": [("$response.body#/data/user/_id", "userId", ["listBatches", "startCalling"])],
    "listPhones": [
        (_NUMBER, "callingNumbers", ["createBatch"]),
        (_NUMBER, "phoneId", ["getPhone", "updatePhone", "deletePhone"]),
    ],
    "addPhone": [(_ID, "phoneId", ["getPhone", "updatePhone", "deletePhone"])],
    "createAgent": [(_ID, "id", ["getAgent", "updateAgent", "deleteAgent"])],
    "createApiKey": [(_ID, "id", ["revokeApiKey"])],
    "addMember": [("$response.body#/data/userId", "id", ["changeMemberRole", "removeMember"])],
    "listDoNotCallEntries": [
        ("$response.body#/data/dncList/0/_id", "id", ["deleteDoNotCallEntry"]),
    ],
    "createWebhook": [
        (
            _ID,
            "id",
            [
                *("getWebhook", "updateWebhook", "rotateWebhookSecret", "testWebhook"),
                *("replayWebhook", "listWebhookDeliveries", "deleteWebhook"),
            ],
        )
    ],
}


def add_links(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """drf-spectacular's hook: put the links into the document."""
    operations = {
        operation["operationId"]: operation
        for path in result["paths"].values()
        for operation in path.values()
    }
    for source, links in LINKS.items():
        responses = operations[source]["responses"]
        success = responses[min(responses)]
        success["links"] = {
            target: _link(operations[target], name, expression)
            for expression, name, targets in links
            for target in targets
        }
    return result


def _link(target: dict[str, Any], name: str, expression: str) -> dict[str, Any]:
    link: dict[str, Any] = {"operationId": target["operationId"]}
    if name in {parameter["name"] for parameter in target.get("parameters", [])}:
        return link | {"parameters": {name: expression}}
    value = [expression] if name.endswith("s") else expression
    return link | {"requestBody": {name: value}}
