"""The base of all requests, and the types of their fields."""

from __future__ import annotations

import re
from typing import Annotated, Generic, TypeVar

from msgspec import Meta, Struct, UnsetType

__all__ = ["GeometryNumber", "Id", "Name", "Numbers", "Offset", "Positive", "Request", "SessionNumber", "Size"]

Id = Annotated[int, Meta(ge=0, le=2**53)]  # JSON's numbers are exact up to this
Offset = Annotated[int, Meta(ge=0, le=1_000_000)]
Size = Annotated[int, Meta(ge=1, le=1_000_000)]
Positive = Annotated[float, Meta(gt=0)]
Name = Annotated[str, Meta(min_length=1, max_length=1000)]
Numbers = Annotated[tuple[float, ...], Meta(min_length=1, max_length=8)]
GeometryNumber = Annotated[int, Meta(ge=0, le=2**32)] | UnsetType | None  # unset: not sent
SessionNumber = Id | UnsetType

R = TypeVar("R")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Request(
    Struct, Generic[R], frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="command", tag=_snake
):
    """Base of all requests; `R` is the type of the result in the reply."""

    id: Id = 0
