"""What a field may hold: made to fit by rule, or refused before anything is sent."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channel.template_fields import RULES, FieldRefused, fit, fits, length, shorten
from sandbox.state import LongValues, Settings
from sandbox.wechat.fields import _fits as is_taken_by_wechat

TYPES = sorted({*RULES, "short_thing", "keyword"})
# Of everything that breaks rules, more than a text at random would have.
TRICKY = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("工资条日月年：:~～-/.¥￥元0129 １Ａa·…\n\r\t\u2028\u200b\u0301\ufe0f"),
        st.sampled_from("😀👨🏽❤☎👍🇨🇳©𠮷\ud83d\ude00\x00"),
    ),
    max_size=60,
)
EVERYDAY = st.text(
    st.sampled_from("工资条发放滨江学校年月日元¥:~-/. 0129abzAZ·！，+()#😀❤\n"), max_size=45
)


@pytest.mark.parametrize("kind", TYPES)
@given(value=TRICKY)
@example(value="\ud83d")
@example(value="e" + "\u0301" * 50)
@example(value=".")
def test_whatever_goes_in_what_comes_out_fits_or_is_refused(kind, value):
    key = f"{kind}1"
    try:
        sent = fit(key, value)
    except FieldRefused:
        assert not fits(key, value)
        return

    assert fits(key, sent)
    assert fit(key, sent) == sent
    sent.encode()  # no half of a character is left
    assert "\n" not in sent


@pytest.mark.parametrize("kind", TYPES)
@given(value=EVERYDAY)
def test_what_we_send_is_taken_by_the_platform(kind, value):
    try:
        sent = fit(f"{kind}1", value)
    except FieldRefused:
        return

    strict = Settings(long_values=LongValues.REFUSE)
    assert is_taken_by_wechat(kind, sent, None, strict)


@pytest.mark.parametrize(
    ("key", "value", "sent"),
    [
        ("thing1", "滨江实验学校", "滨江实验学校"),
        ("thing1", "一二三四五六七八九十" * 2, "一二三四五六七八九十" * 2),
        ("thing1", "一二三四五六七八九十" * 3, "一二三四五六七八九十一二三四五六七八九…"),
        ("thing1", " 滨江\n 学校\t ", "滨江 学校"),
        ("thing1", "发工资啦🎉👨‍👩‍👧❤️", "发工资啦"),
        ("thing1", "A&B <研究所>", "A&B <研究所>"),
        ("short_thing1", "字" * 30, "字" * 19 + "…"),
        ("keyword1", "字" * 30, "字" * 19 + "…"),
        ("character_string2", "ＡＢ－１２", "AB-12"),
        ("character_string2", "N" * 40, "N" * 29 + "..."),
        ("time3", "15:01", "15:01"),
        ("time3", "２０１９年１０月１日 １５：０１", "2019年10月1日 15:01"),
        ("time3", "2019-10-01 08:00 ~ 2019-10-02 08:00", "2019-10-01 08:00 ~ 2019-10-02 08:00"),
        ("time3", "2026年3月", "2026年3月"),
        ("date4", "2019年10月1日", "2019年10月1日"),
        ("date4", "2019/10/1～2019/10/7", "2019/10/1~2019/10/7"),
        ("date4", "10月1日", "10月1日"),
        ("date4", "2024.2.29", "2024.2.29"),
        ("date4", "2.29", "2.29"),
        ("amount5", "￥128600.50", "¥128600.50"),
        ("amount5", "100元", "100元"),
        ("phone_number6", "+86-0766-66888866", "+86-0766-66888866"),
        ("car_number7", "粤A8Z888挂", "粤A8Z888挂"),
        ("const8", "已发布", "已发布"),
        ("number9", "-12.5", "-12.5"),
        ("letter10", "ＡＢＣ", "ABC"),
        ("symbol11", "!?!?!?!?", "!?!?…"),
        ("name12", "张三", "张三"),
        ("name12", "阿卜杜热合曼·买买提艾力江", "阿卜杜热合曼·买买提"),
        ("name12", "Maximilian Alexander Schmidt", "Maximilian Alexander"),
        ("phrase13", "已发布", "已发布"),
    ],
)
def test_a_value_is_made_to_fit(key, value, sent):
    assert fit(key, value) == sent


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("thing1", "", "不能为空"),
        ("thing1", "🎉", "不能为空"),
        ("character_string2", "三月工资", "不能有汉字"),
        ("time3", "三月", "24 小时制"),
        ("time3", "25:00", "24 小时制"),
        ("time3", "2026年13月", "24 小时制"),
        ("time3", "1:00~2:00~3:00", "24 小时制"),
        ("date4", "2026年2月30日", "日期"),
        ("date4", "2026年3月1日 99:99", "日期"),
        ("date4", "0000-01-01", "日期"),
        ("amount5", "12345678901", "10 位以内"),
        ("amount5", "很多", "数字"),
        ("phone_number6", "1" * 18, "17 位以内"),
        ("phone_number6", "()", "电话号码"),
        ("car_number7", "粤A8Z8888888", "8 位以内"),
        ("const8", "字" * 21, "20 个字"),
        ("number9", "1" * 33, "32 位以内"),
        ("number9", "1e5", "数字"),
        ("letter10", "A1", "只能有字母"),
        ("symbol11", "a", "只能有符号"),
        ("name12", "张三1", "汉字"),
        ("name12", "···", "汉字"),
        ("name12", ". .", "字母"),
        ("phrase13", "工资条已发布", "最多 5 个"),
    ],
)
def test_what_cannot_be_made_to_fit_is_refused_with_field_and_rule(key, value, said):
    with pytest.raises(FieldRefused) as refused:
        fit(key, value)

    assert key in refused.value.sentence
    assert said in refused.value.sentence


def test_a_refusal_does_not_repeat_what_was_refused():
    with pytest.raises(FieldRefused) as refused:
        fit("character_string1", "张三的工资")

    assert "张三" not in str(refused.value)


def test_a_field_of_choices_takes_one_of_them_only():
    assert fit("const1", "已发布", ("已发布", "已撤回")) == "已发布"
    with pytest.raises(FieldRefused):
        fit("const1", "已删除", ("已发布", "已撤回"))


def test_a_name_of_more_than_ten_is_not_sent_as_it_is():
    assert fits("name1", "阿卜杜热西提·买买提")
    assert not fits("name1", "阿卜杜热西提·买买提江")


def test_a_rare_character_counts_as_two_and_is_never_cut_in_half():
    sent = fit("thing1", "𠮷" * 15)

    assert sent == "𠮷" * 9 + "…"
    assert length(sent) == 19


@given(text=st.text("ab𠮷e\u0301\u20d7字", max_size=40), longest=st.integers(2, 20))
def test_a_mark_is_never_parted_from_its_letter(text, longest):
    shortened = shorten(text, longest, "…")

    assert length(shortened) <= max(longest, 1)
    if shortened != text:
        kept = shortened.removesuffix("…")
        assert text.startswith(kept)
        # A mark that opens the text stands on no letter.
        assert not kept or not unicodedata.combining(text[len(kept)])
