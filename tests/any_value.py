"""Any value of a type that msgspec reads: the settings, and the messages that are JSON."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from hypothesis import reject
from hypothesis import strategies as st
from msgspec import inspect

__all__ = ["JSON_VALUES", "any_fields", "any_value"]

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)  # no lone surrogates: UTF-8 has none
_INTEGERS = st.integers(-(2**53), 2**53)  # what every reader of JSON reads exactly

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | _INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def any_value(kind: Any) -> st.SearchStrategy[Any]:
    """Return all values of a type, within the bounds that msgspec checks."""
    return _values(inspect.type_info(kind))


def any_fields(kind: type[msgspec.Struct]) -> dict[str, st.SearchStrategy[Any]]:
    """Return all values of each field of a struct, by the field's name."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return {field.name: _values(field.type) for field in info.fields}


def _values(info: inspect.Type) -> st.SearchStrategy[Any]:
    if isinstance(info, inspect.Metadata):
        return _values(info.type)
    match info:
        case inspect.NoneType():
            return st.none()
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            return st.integers(_or(info.ge, -(2**53)), _or(info.le, 2**53))
        case inspect.FloatType():
            return _floats(info)
        case inspect.StrType(pattern=str(pattern)):
            return st.from_regex(pattern, alphabet=st.characters(codec="ascii"))
        case inspect.StrType():
            least = info.min_length or 0
            return st.text(
                st.characters(exclude_categories=["Cs"]),
                min_size=least,
                max_size=min(least + 20, info.max_length or 99),
            )
        case inspect.LiteralType():
            return st.sampled_from(info.values)
        case inspect.UnionType():
            return st.one_of(*map(_values, info.types))
        case inspect.ListType():
            return st.lists(_values(info.item_type), max_size=3)
        case inspect.TupleType():
            return st.tuples(*map(_values, info.item_types))
        case inspect.VarTupleType():
            least = info.min_length or 0
            return st.lists(_values(info.item_type), min_size=least, max_size=least + 3).map(tuple)
        case inspect.DictType():
            return st.dictionaries(_values(info.key_type), _values(info.value_type), max_size=3)
        case inspect.StructType() | inspect.DataclassType():
            return st.builds(_build, st.just(info.cls), **{field.name: _values(field.type) for field in info.fields})
        case inspect.AnyType():
            return JSON_VALUES
        case inspect.CustomType() if info.cls is msgspec.UnsetType:
            return st.just(msgspec.UNSET)
    raise NotImplementedError(info)


def _build(kind: Any, **fields: Any) -> Any:
    try:
        return kind(**fields)
    except ValueError:  # of `__post_init__`: values that do not go together
        reject()


def _floats(info: inspect.FloatType) -> st.SearchStrategy[float]:
    low, high = _or(info.ge, info.gt), _or(info.le, info.lt)
    return st.floats(
        low,
        high,
        exclude_min=info.gt is not None,
        exclude_max=info.lt is not None,
        allow_nan=False,
        allow_infinity=False,
    ).map(lambda value: value if math.isfinite(value) else 0.0)


def _or(value: Any, other: Any) -> Any:
    return other if value is None else value
