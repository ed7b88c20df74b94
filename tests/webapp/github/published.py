"""Payloads as GitHub publishes their schemas, made from githubkit's models of them.

`payload_of(model, style, names)` fills every field: FULL gives all of them, in each union the first
kind; OTHER_KINDS the last; MINIMAL leaves out what may be missing; NULLS holds null wherever null
may stand. What `names` doesn't name by its path is called after strangers, so that whoever looks in
the wrong place finds them.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import githubkit_schemas.v2026_03_10.webhooks as published
from pydantic import BaseModel
from pydantic.fields import FieldInfo

Names = Mapping[tuple[str, ...], str]
STRANGERS = {"login": "Stranger", "full_name": "Stranger/Elsewhere", "name": "elsewhere"}
DEEPEST = 12
"""Steps down; nothing that counts lies deeper, and some models hold themselves."""


class Style(Enum):
    """How much of what may be there is there."""

    FULL = "full"
    OTHER_KINDS = "other kinds"
    MINIMAL = "minimal"
    NULLS = "nulls"


def event_names() -> list[str]:
    """Every webhook event whose schema is published."""
    return sorted(
        path.stem
        for path in Path(published.__path__[0]).glob("*.py")
        if not path.stem.startswith("_")
    )


@cache
def models(event: str) -> dict[str, Any]:
    """Action -> model; '' where the event has no action."""
    found = import_module(f"{published.__name__}.{event}").action_types
    if isinstance(found, dict):
        # Some actions have several models, that differ in what they are about.
        return {action: next(_parts(model)) for action, model in found.items()}
    field = found.model_fields.get("action")
    return {_literal(field.annotation) if field else "": found}


def payload_of(model: Any, style: Style, names: Names) -> dict[str, Any]:
    """A payload that the model takes."""
    value = _Maker(style, names).model(model, ())
    model.model_validate(value)
    return value


class _Maker:
    def __init__(self, style: Style, names: Names) -> None:
        self.style = style
        self.names = names

    def model(self, model: type[BaseModel], path: tuple[str, ...]) -> dict[str, Any]:
        made = {}
        for name, field in model.model_fields.items():
            key = field.alias or name
            kinds = list(_kinds(field))
            if not field.is_required() and self._leaves_out(kinds):
                continue
            made[key] = self.value(kinds, (*path, key))
        return made

    def value(self, kinds: list[Any], path: tuple[str, ...]) -> Any:
        if self.style is Style.NULLS and type(None) in kinds:
            return None
        kinds = [kind for kind in kinds if kind is not type(None)] or [type(None)]
        kind = kinds[-1 if self.style is Style.OTHER_KINDS else 0]
        origin = get_origin(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return self.model(kind, path)
        if origin is Literal:
            return get_args(kind)[0]
        if origin is list:
            inside = list(_parts(get_args(kind)[0]))
            return [] if len(path) > DEEPEST else [self.value(inside, path)]
        return self._plain(origin or kind, path)

    def _plain(self, kind: Any, path: tuple[str, ...]) -> Any:
        if kind is str:
            return self.names.get(path) or STRANGERS.get(path[-1], "text")
        plain: dict[Any, Any] = {
            int: 7,
            float: 7.5,
            bool: True,
            dict: {},
            datetime: "2026-11-22T10:11:12Z",
            date: "2026-11-22",
            type(None): None,
            Any: "anything",
        }
        return plain[kind]

    def _leaves_out(self, kinds: list[Any]) -> bool:
        return self.style is Style.MINIMAL or (
            self.style is Style.NULLS and type(None) not in kinds
        )


def _kinds(field: FieldInfo) -> Iterator[Any]:
    for kind in _parts(field.annotation):
        if not (get_origin(kind) is Literal and _is_unset(get_args(kind)[0])):
            yield kind


def _parts(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from _parts(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, types.UnionType}:
        for each in get_args(annotation):
            yield from _parts(each)
    else:
        yield annotation


def _is_unset(value: object) -> bool:
    return type(value).__name__ == "Unset"


def _literal(annotation: Any) -> str:
    for kind in _parts(annotation):
        if get_origin(kind) is Literal and isinstance(get_args(kind)[0], str):
            return str(get_args(kind)[0])
    return ""
