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


def pagination(total: int, page: int, limit: int) -> dict[str, int]:
    return {"total": total, "page": page, "limit": limit, "totalPages": ceil(total / limit)}


def page_of(rows: QuerySet[Any], total: int, page: int, limit: int) -> list[Any]:
    """One page. Past the end it is empty, whatever the number (an OFFSET has 64 bits)."""
    start = (page - 1) * limit
    return list(rows[start : start + limit]) if start < total else []
