"""Template messages: the platform's own fields, nothing personal, never too long."""

from datetime import UTC, datetime

import jinja2
import pytest
import time_machine

from channel.message_texts import TITLES, compose, match_templates
from channel.wechat.client import Template
from domain.pushes.models import MessageKind
from sandbox.wechat.library import LIBRARY, template_from

PARAMS = {"enterprise": "滨江实验学校", "period": "2026-03"}


def templates_of_a_new_account():
    made = (template_from("wx1", entry) for entry in LIBRARY)
    return [Template(template_id=t.template_id, title=t.title, content=t.content) for t in made]


def test_a_payslip_is_announced_with_enterprise_and_month():
    assert compose(MessageKind.PAYSLIP_READY, PARAMS) == {
        "thing1": "滨江实验学校",
        "time2": "2026年3月",
        "thing3": "工资条已发布，点击查看",
    }


@time_machine.travel(datetime(2026, 3, 29, 2, 15, tzinfo=UTC), tick=False)
def test_an_answer_is_announced_with_the_time_in_china():
    assert compose(MessageKind.QUESTION_ANSWERED, PARAMS) == {
        "thing1": "工资条 · 滨江实验学校",
        "thing2": "人事已回复，点击查看",
        "time3": "2026年3月29日 10:15",
    }


def test_a_long_name_is_shortened_to_what_the_field_holds():
    long = {**PARAMS, "enterprise": "江西省南昌市红谷滩区滨江实验学校教育集团有限责任公司"}

    said = compose(MessageKind.PAYSLIP_READY, long)["thing1"]

    assert said == "江西省南昌市红谷滩区滨江实验学校教育集…"
    assert len(said) == 20


def test_a_line_break_in_a_name_cannot_begin_another_field():
    tricky = {**PARAMS, "enterprise": "滨江\nthing3: 点击领奖"}

    said = compose(MessageKind.PAYSLIP_READY, tricky)

    assert said["thing1"] == "滨江 thing3: 点击领奖"
    assert said["thing3"] == "工资条已发布，点击查看"


def test_a_name_is_sent_as_it_is_written():
    said = compose(MessageKind.PAYSLIP_READY, {**PARAMS, "enterprise": "A&B <研究所>"})

    assert said["thing1"] == "A&B <研究所>"


def test_a_missing_param_is_no_message():
    with pytest.raises(jinja2.UndefinedError):
        compose(MessageKind.PAYSLIP_READY, {"enterprise": "滨江实验学校"})


def test_every_message_finds_its_template_in_a_new_account():
    matched = match_templates(templates_of_a_new_account())

    assert set(matched) == {kind.value for kind in MessageKind} == {k.value for k in TITLES}
    assert len(set(matched.values())) == len(matched)


@pytest.mark.parametrize("kind", MessageKind)
def test_a_message_fills_exactly_the_fields_of_its_template(kind):
    entry = next(entry for entry in LIBRARY if entry.title == TITLES[kind])

    assert set(compose(kind, PARAMS)) == {key for _, key, _ in entry.lines}


def test_a_template_with_other_fields_carries_nothing():
    other = Template(template_id="t", title="工资发放通知", content="单位:{{thing9.DATA}}")

    assert match_templates([other]) == {}
