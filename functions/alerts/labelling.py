"""POST /labels: what transactions turned out to be, each label accepted or refused by itself."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from functions.alerts.parts import Parts
from shared.domain.labels import Effect, Label
from shared.messages.label_in import InvalidLabel, LabelIn, parse_label
from shared.ports import LabelTaken
from shared.problem_answers import ProblemOut, problem_responses
from shared.problems import FieldError, Kind, Problem, Refused, invalid
from shared.telemetry.metrics import LABELLED, count

MAX_LABELS = 1_000
LABELLED_OR_NOT = problem_responses(Kind.TOO_LARGE, Kind.MEDIA_TYPE, Kind.INVALID, Kind.UNAVAILABLE)


class LabelsIn(BaseModel):
    """Up to 1,000 labels; each is accepted or refused by itself."""

    labels: list[LabelIn] = Field(max_length=MAX_LABELS)


class LabelledItem(BaseModel):
    """A label that was accepted: `status` says what it did, `index` is its place in the posted list."""

    index: int
    transaction_id: str
    status: Effect = Field(description="new, changed, same, or older: a verdict known later stands")
    transaction_known: bool = Field(description="Whether the transaction is recorded; if not, the label waits")


class RefusedLabel(BaseModel):
    """A label that was not accepted."""

    index: int
    problem: ProblemOut


class LabelsOut(BaseModel):
    """One result per posted label, in order."""

    results: list[LabelledItem | RefusedLabel]


def _an_object(posted: object) -> object:
    if not isinstance(posted, dict):
        expected = 'The body must be an object with a list, {"labels": [...]}, or one label alone.'
        raise PydanticCustomError("object_required", expected)
    return posted


Posted = Annotated[
    dict[str, Any],
    BeforeValidator(_an_object),
    Body(),
    WithJsonSchema({"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("LabelsIn", "LabelIn")]}),
]


def labelling(parts: Parts) -> APIRouter:
    """The route over these parts."""
    router = APIRouter(tags=["labels"])

    @router.post(
        "/labels",
        summary="Say what transactions turned out to be",
        description="A list of labels, or one label alone, which is refused with 422. The same again is harmless.",
        responses=LABELLED_OR_NOT,
        response_model_exclude_none=True,
    )
    async def post_labels(posted: Posted) -> LabelsOut:
        # A thousand labels take some milliseconds: others get their turn.
        parsed = await asyncio.to_thread(parse_labels, posted, parts.clock())
        labels = [each for each in parsed if isinstance(each, Label)]
        taken = await parts.labels.add(labels) if labels else []
        for each in taken:
            count(LABELLED, effect=each.effect)
        return LabelsOut(results=[*_results(parsed, iter(taken))])

    return router


def parse_labels(posted: dict[str, Any], now: datetime) -> list[Label | Problem]:
    """Each label of a list or its problem; raises Refused for one label alone, and where there is no list."""
    if "labels" not in posted:
        return [_refusing(_parsed(posted, now))]
    labels = posted["labels"]
    if not isinstance(labels, list):
        raise Refused(_invalid(FieldError("/labels", "Must be a list of labels.", "list_required")))
    if len(labels) > MAX_LABELS:
        detail = f"At most {MAX_LABELS} labels at a time; send the rest in another request."
        raise Refused(_invalid(FieldError("/labels", detail, "too_many_items")))
    return [_parsed(each, now) for each in labels]


def _refusing(parsed: Label | Problem) -> Label:
    if isinstance(parsed, Problem):
        raise Refused(parsed)
    return parsed


def _parsed(posted: object, now: datetime) -> Label | Problem:
    try:
        return parse_label(posted, now=now)
    except InvalidLabel as error:
        return _invalid(*error.errors)


def _invalid(*errors: FieldError) -> Problem:
    return invalid(errors, "nothing of it was kept")


def _results(
    parsed: Sequence[Label | Problem], taken: Iterator[LabelTaken]
) -> Iterator[LabelledItem | RefusedLabel]:
    for index, each in enumerate(parsed):
        if isinstance(each, Problem):
            yield RefusedLabel(index=index, problem=ProblemOut.model_validate(each.document()))
            continue
        effect = next(taken)
        yield LabelledItem(
            index=index,
            transaction_id=each.transaction_id,
            status=effect.effect,
            transaction_known=effect.transaction_known,
        )
