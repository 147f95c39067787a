"""What template messages say: one file a message, one ``field: value`` a line.

The fields are those of the platform's own templates, so a file and its title below belong
together. No person and no amount is ever named: a message may be read over a shoulder.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from channel.wechat.client import Template
from core.clock import china_time, utc_now
from domain.payroll.policy import period_in_words
from domain.pushes.models import MessageKind

# The title under which the platform's library carries each message.
TITLES: dict[MessageKind, str] = {
    MessageKind.PAYSLIP_READY: "工资发放通知",
    MessageKind.QUESTION_ANSWERED: "咨询回复通知",
}

# The most characters of a field by its type, which is its key without the number. WeChat refuses
# (47003) or silently cuts what is longer.
_LONGEST = {"thing": 20}
_FOLDER = Path(__file__).parents[1] / "templates" / "messages"
_FIELD = re.compile(r"\{\{(\w+)\.DATA\}\}")


def compose(kind: MessageKind, params: Mapping[str, str]) -> dict[str, str]:
    """The values of a message's fields. Refuses (jinja2.UndefinedError) when a param lacks."""
    # A line break in a value would begin a field of its own, and WeChat refuses it anyway.
    plain = {name: " ".join(value.split()) for name, value in params.items()}
    text = _templates().get_template(f"{kind.value}.txt").render(plain, now=_now())
    fields = (line.split(": ", 1) for line in text.splitlines())
    return {key: _shortened(key, value.strip()) for key, value in fields}


def match_templates(templates: Iterable[Template]) -> dict[str, str]:
    """Which of the account's templates carries which message: kind → template id.

    A template of the right title but with other fields would be refused at every sending.
    """
    return {
        kind.value: template.template_id
        for template in templates
        for kind, title in TITLES.items()
        if template.title == title and set(_FIELD.findall(template.content)) == _keys(kind)
    }


def _keys(kind: MessageKind) -> set[str]:
    source = (_FOLDER / f"{kind.value}.txt").read_text(encoding="utf-8")
    return {line.split(":", 1)[0] for line in source.splitlines()}


def _shortened(key: str, value: str) -> str:
    longest = _LONGEST.get(key.rstrip("0123456789"), len(value))
    return value if len(value) <= longest else f"{value[: longest - 1]}…"


def _now() -> str:
    local = china_time(utc_now())
    return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"


@lru_cache(maxsize=1)
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 -- plain text: WeChat shows "&amp;" as it is
    )
    environment.filters["month"] = period_in_words
    return environment
