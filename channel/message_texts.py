"""What template messages say: one file a message, one ``field: value`` a line.

The fields are those of the platform's own templates, so a file and its title below belong
together; what each may hold is in ``template_fields``. No person and no amount is ever named: a
message may be read over a shoulder.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from channel.template_fields import fit
from channel.wechat.outgoing import Template
from core.clock import china_time
from domain.directory.message_templates import FoundTemplate, TemplateField
from domain.payroll.policy import period_in_words
from domain.pushes.models import MessageKind

# The only values that a field takes, by its key.
Choices = Mapping[str, tuple[str, ...]]

# The title under which the platform's library carries each message.
TITLES: dict[MessageKind, str] = {
    MessageKind.PAYSLIP_READY: "工资发放通知",
    MessageKind.PAYSLIP_REMINDER: "工资条查看提醒",
    MessageKind.QUESTION_ANSWERED: "咨询回复通知",
}

LONGEST_SMS = 70
_FOLDER = Path(__file__).parents[1] / "templates" / "messages"
_FIELD = re.compile(r"(?:([^:：\n{]*)[:：]\s*)?\{\{(\w+)\.DATA\}\}")
# Of old templates, which WeChat no longer shows: a message need not fill them.
_UNSHOWN = frozenset({"first", "remark"})


def compose(
    kind: MessageKind,
    params: Mapping[str, str],
    at: datetime,
    choices: Choices = MappingProxyType({}),
) -> dict[str, str]:
    """The values of a message's fields, as WeChat takes them. ``at``: when there was news.

    Refuses when a param lacks (jinja2.UndefinedError), and what cannot be made to fit
    (FieldRefused).
    """
    return {
        key: fit(key, value, choices.get(key, ()))
        for key, value in _written(kind, params, at).items()
    }


def in_words(kind: MessageKind, params: Mapping[str, str], at: datetime, number: int) -> str:
    """The same message as plain text, for where there are no templates and no rules of theirs.

    WeCom takes equal words for a repeat and drops it. The last line tells two messages of one
    month apart, and is the same at every try of one.
    """
    lines = _written(kind, params, at).values()
    last = f"通知编号 {number}（{_minute(at)}）"
    return "\n".join([TITLES[kind], *lines, "请到微信公众号里查看。", last])


def in_brief(kind: MessageKind, params: Mapping[str, str], sender: str) -> str:
    """The same for a telephone, which carries so many characters as one text message."""
    plain = {name: " ".join(value.split()) for name, value in params.items()}
    template = _templates().get_template(f"sms/{kind.value}.txt")
    text = f"【{sender}】{template.render(plain)}"
    name = plain.get("enterprise", "")
    if not 0 < len(text) - LONGEST_SMS < len(name):
        return text
    shorter = f"{name[: LONGEST_SMS - len(text) - 1]}…"
    return f"【{sender}】{template.render(plain | {'enterprise': shorter})}"


def recognise(templates: Iterable[Template], used: Mapping[str, str]) -> list[FoundTemplate]:
    """What an account's templates are to us. ``used`` are those in use, kind → template id: of
    several that can carry a message, one in use stays.

    A template of the right title but with other fields would be refused at every sending.
    """
    by_id = {template.template_id: template for template in templates}
    carriers: dict[str, str] = {}
    for kind in MessageKind:
        fitting = [one.template_id for one in by_id.values() if _can_carry(one, kind)]
        if fitting:
            kept = used.get(kind.value)
            carriers[kept if kept in fitting else fitting[0]] = kind.value
    return [_found(template, carriers.get(template.template_id)) for template in by_id.values()]


def _can_carry(template: Template, kind: MessageKind) -> bool:
    keys = {key for _, key in _FIELD.findall(template.content)}
    return template.title == TITLES[kind] and keys - _UNSHOWN == keys_of(kind)


def _found(template: Template, kind: str | None) -> FoundTemplate:
    fields = (
        TemplateField(key, label.strip(), template.choices.get(key, ()))
        for label, key in _FIELD.findall(template.content)
    )
    return FoundTemplate(
        template_id=template.template_id,
        title=template.title,
        content=template.content,
        example=template.example,
        fields=tuple(fields),
        kind=kind,
    )


def keys_of(kind: MessageKind) -> set[str]:
    """The fields that a message fills."""
    source = (_FOLDER / f"{kind.value}.txt").read_text(encoding="utf-8")
    return {line.split(":", 1)[0] for line in source.splitlines()}


def _written(kind: MessageKind, params: Mapping[str, str], at: datetime) -> dict[str, str]:
    # A line break in a value would begin a field of its own.
    plain = {name: " ".join(value.split()) for name, value in params.items()}
    text = _templates().get_template(f"{kind.value}.txt").render(plain, at=_minute(at))
    return dict(line.split(": ", 1) for line in text.splitlines())


def _minute(at: datetime) -> str:
    local = china_time(at)
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
