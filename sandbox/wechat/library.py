"""The template messages that a new official account has already chosen from WeChat's library."""

import base64
import hashlib
import re
from dataclasses import dataclass

from sandbox.state import Template

FIELD = re.compile(r"\{\{(\w+)\.DATA\}\}")
LINE = re.compile(r"(?:([^:：\n{]*)[:：]\s*)?\{\{(\w+)\.DATA\}\}")


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    name: str
    short_id: str
    title: str
    lines: tuple[tuple[str, str, str], ...]  # label, key, example


LIBRARY = (
    LibraryEntry(
        "payslip",
        "OPENTM50001",
        "工资发放通知",
        (
            ("单位名称", "thing1", "滨江实验学校"),
            ("发放月份", "time2", "2026年3月"),
            ("温馨提示", "thing3", "工资条已发放，点击查看"),
        ),
    ),
    LibraryEntry(
        "approval",
        "OPENTM50002",
        "待审批提醒",
        (
            ("审批事项", "thing1", "三月工资代发"),
            ("申请人", "thing2", "张会计"),
            ("金额", "amount3", "¥128600.50"),
            ("提交时间", "time4", "2026年3月28日 09:30"),
        ),
    ),
    LibraryEntry(
        "activity",
        "OPENTM50003",
        "活动通知",
        (
            ("活动名称", "thing1", "代发客户专属存款季"),
            ("活动时间", "time2", "2026年4月1日~2026年4月30日"),
            ("活动说明", "thing3", "点击查看活动详情"),
        ),
    ),
    LibraryEntry(
        "answer",
        "OPENTM50004",
        "咨询回复通知",
        (
            ("咨询内容", "thing1", "三月绩效工资"),
            ("回复内容", "thing2", "人事已回复，点击查看"),
            ("回复时间", "time3", "2026年3月29日 10:15"),
        ),
    ),
    LibraryEntry(
        "signin",
        "OPENTM50005",
        "登录提醒",
        (
            ("登录系统", "thing1", "代发工资工作台"),
            ("登录时间", "time2", "2026年3月28日 08:55"),
            ("温馨提示", "thing3", "如非本人操作请联系客户经理"),
        ),
    ),
    LibraryEntry(
        "reminder",
        "OPENTM50006",
        "工资条查看提醒",
        (
            ("单位名称", "thing1", "滨江实验学校"),
            ("发放月份", "time2", "2026年3月"),
            ("温馨提示", "thing3", "工资条还没有查看，点击查看"),
        ),
    ),
)
# A mini-program has chosen the same of its own library, as long-term subscriptions.
SUBSCRIPTIONS = tuple(one for one in LIBRARY if one.name in {"payslip", "answer", "reminder"})
BY_SHORT_ID = {entry.short_id: entry for entry in LIBRARY}


def template_id_for(appid: str, short_id: str, copy: int = 0) -> str:
    """Different for each account, yet always the same, so that tests and demos can rely on it."""
    digest = hashlib.sha256(f"{appid}:{short_id}:{copy}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def template_from(appid: str, entry: LibraryEntry, copy: int = 0) -> Template:
    return Template(
        template_id=template_id_for(appid, entry.short_id, copy),
        short_id=entry.short_id,
        title=entry.title,
        content="\n".join(f"{label}:{{{{{key}.DATA}}}}" for label, key, _ in entry.lines),
        example="\n".join(f"{label}:{example}" for label, _, example in entry.lines),
    )


def fields_of(template: Template) -> list[str]:
    return FIELD.findall(template.content)


def labelled_fields_of(template: Template) -> list[tuple[str, str]]:
    """(label, key) of each line, as the card shows them."""
    return LINE.findall(template.content)
