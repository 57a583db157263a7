"""`page` and `limit` over a queryset, and the numbers that go with them."""

from math import ceil
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers


class PaginationSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    page = serializers.IntegerField()
    limit = serializers.IntegerField()
    totalPages = serializers.IntegerField()


def page_data(
    plural: str, rows: QuerySet[Any], total: int, query: dict[str, Any]
) -> dict[str, Any]:
    """The `data` of a list: one page of ordered rows under `plural`, and its `pagination`.

    Past the end a page is empty, whatever its number (an OFFSET has 64 bits).
    """
    page, limit = query["page"], query["limit"]
    start = (page - 1) * limit
    numbers = {"total": total, "page": page, "limit": limit, "totalPages": ceil(total / limit)}
    found = list(rows[start : start + limit]) if start < total else []
    return {plural: found, "pagination": numbers}
