"""Template messages: the platform's own fields, nothing personal, never too long."""

from datetime import UTC, datetime

import jinja2
import pytest

from channel.message_texts import TITLES, compose, in_words, recognise
from channel.template_fields import FieldRefused
from channel.wechat.outgoing import Template
from domain.pushes.models import MessageKind
from sandbox.wechat.library import LIBRARY, template_from

PARAMS = {"enterprise": "滨江实验学校", "period": "2026-03"}
AT = datetime(2026, 3, 29, 2, 15, tzinfo=UTC)


def templates_of_a_new_account():
    made = (template_from("wx1", entry) for entry in LIBRARY)
    return [Template(template_id=t.template_id, title=t.title, content=t.content) for t in made]


def test_a_payslip_is_announced_with_enterprise_and_month():
    assert compose(MessageKind.PAYSLIP_READY, PARAMS, AT) == {
        "thing1": "滨江实验学校",
        "time2": "2026年3月",
        "thing3": "工资条已发布，点击查看",
    }


def test_an_answer_is_announced_with_the_time_in_china():
    assert compose(MessageKind.QUESTION_ANSWERED, PARAMS, AT) == {
        "thing1": "工资条 · 滨江实验学校",
        "thing2": "人事已回复，点击查看",
        "time3": "2026年3月29日 10:15",
    }


def test_a_long_name_is_shortened_to_what_the_field_holds():
    long = {**PARAMS, "enterprise": "江西省南昌市红谷滩区滨江实验学校教育集团有限责任公司"}

    said = compose(MessageKind.PAYSLIP_READY, long, AT)["thing1"]

    assert said == "江西省南昌市红谷滩区滨江实验学校教育集…"
    assert len(said) == 20


def test_a_line_break_in_a_name_cannot_begin_another_field():
    tricky = {**PARAMS, "enterprise": "滨江\nthing3: 点击领奖"}

    said = compose(MessageKind.PAYSLIP_READY, tricky, AT)

    assert said["thing1"] == "滨江 thing3: 点击领奖"
    assert said["thing3"] == "工资条已发布，点击查看"


def test_a_name_is_sent_as_it_is_written():
    said = compose(MessageKind.PAYSLIP_READY, {**PARAMS, "enterprise": "A&B <研究所>"}, AT)

    assert said["thing1"] == "A&B <研究所>"


def test_emoji_and_too_many_characters_are_left_out():
    said = compose(MessageKind.PAYSLIP_READY, {**PARAMS, "enterprise": "🎉滨江❤️" + "校" * 20}, AT)

    assert said["thing1"] == "滨江" + "校" * 17 + "…"


def test_a_missing_param_is_no_message():
    with pytest.raises(jinja2.UndefinedError):
        compose(MessageKind.PAYSLIP_READY, {"enterprise": "滨江实验学校"}, AT)


def test_a_value_that_no_rule_can_make_fit_is_no_message():
    with pytest.raises(FieldRefused) as refused:
        compose(MessageKind.PAYSLIP_READY, {**PARAMS, "enterprise": "🎉"}, AT)

    assert refused.value.field == "thing1"


def test_a_value_outside_the_templates_choices_is_no_message():
    with pytest.raises(FieldRefused):
        compose(MessageKind.PAYSLIP_READY, PARAMS, AT, {"thing3": ("已发布",)})


def test_where_there_are_no_fields_nothing_is_cut_or_refused():
    name = "江西省南昌市红谷滩区滨江实验学校教育集团有限责任公司🎉"

    text = in_words(MessageKind.PAYSLIP_READY, {**PARAMS, "enterprise": name}, AT, 71)

    assert text.splitlines() == [
        "工资发放通知",
        name,
        "2026年3月",
        "工资条已发布，点击查看",
        "请到微信公众号里查看。",
        "通知编号 71（2026年3月29日 10:15）",
    ]


# --- which template carries which message ---------------------------------------------------


def carried(templates, used=None):
    return {one.kind: one.template_id for one in recognise(templates, used or {}) if one.kind}


def test_every_message_finds_its_template_in_a_new_account():
    found = carried(templates_of_a_new_account())

    assert set(found) == {kind.value for kind in MessageKind} == {k.value for k in TITLES}
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize("kind", MessageKind)
def test_a_message_fills_exactly_the_fields_of_its_template(kind):
    entry = next(entry for entry in LIBRARY if entry.title == TITLES[kind])

    assert set(compose(kind, PARAMS, AT)) == {key for _, key, _ in entry.lines}


CONTENT = "单位名称:{{thing1.DATA}}\n发放月份：{{time2.DATA}}\n{{thing3.DATA}}\n"


def payslip_template(template_id="t", content=CONTENT):
    return Template(template_id=template_id, title="工资发放通知", content=content)


def test_the_fields_of_a_template_are_read_with_their_labels():
    (found,) = recognise([payslip_template()], {})

    assert [(field.key, field.label) for field in found.fields] == [
        ("thing1", "单位名称"),
        ("time2", "发放月份"),
        ("thing3", ""),
    ]


def test_the_choices_of_a_field_are_read():
    template = payslip_template().model_copy(update={"choices": {"thing3": ("甲", "乙")}})

    (found,) = recognise([template], {})

    assert [field.choices for field in found.fields] == [(), (), ("甲", "乙")]


def test_a_template_with_other_fields_carries_nothing():
    assert carried([payslip_template(content="单位:{{thing9.DATA}}")]) == {}
    assert carried([payslip_template(content=CONTENT + "备注:{{thing4.DATA}}")]) == {}


def test_fields_that_wechat_no_longer_shows_do_no_harm():
    content = "{{first.DATA}}\n" + CONTENT + "{{remark.DATA}}"

    assert carried([payslip_template(content=content)]) == {"payslip_ready": "t"}


def test_of_two_templates_for_one_message_the_one_in_use_stays():
    two = [payslip_template("t1"), payslip_template("t2")]

    assert carried(two) == {"payslip_ready": "t1"}
    assert carried(two, {"payslip_ready": "t2"}) == {"payslip_ready": "t2"}
    assert carried(two, {"payslip_ready": "gone"}) == {"payslip_ready": "t1"}
