"""What the platforms answer, as frozen types: fields we do not know are left out."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from channel.wechat.errors import WeChatUnreachable


class Answer(BaseModel):
    # Ids and times come as numbers here and as texts there.
    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, given: Any) -> Any:
        """An empty list is sometimes written as null."""
        if isinstance(given, dict):
            return {key: value for key, value in given.items() if value is not None}
        return given


class CursorPage(Answer):
    """One of several; the last has no cursor."""

    next_cursor: str = ""


A = TypeVar("A", bound=Answer)


def read(model: type[A], answer: Mapping[str, Any]) -> A:
    """The typed answer; WeChatUnreachable when it is not what the documents promise."""
    try:
        return model.model_validate(answer)
    except ValidationError:
        pass  # its text holds what was received; ours is raised outside, without it
    raise WeChatUnreachable(f"the answer is no {model.__name__}", may_have_arrived=True)
