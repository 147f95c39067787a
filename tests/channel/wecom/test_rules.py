"""What breaks a documented limit is refused before it is sent, never cut."""

import dataclasses

import pytest

from channel.rules import RuleBroken
from channel.wechat.transport import File
from channel.wecom.attachments import (
    AttachedFile,
    AttachedImage,
    AttachedLink,
    AttachedMiniprogram,
    AttachedVideo,
    content_body,
)
from channel.wecom.cards import (
    Button,
    ButtonCard,
    Jump,
    NewsNotice,
    Page,
    Question,
    QuestionsCard,
    Row,
    TextNotice,
    VoteCard,
)
from channel.wecom.external_contacts import Remark
from channel.wecom.moments import Moment
from channel.wecom.outgoing import (
    Article,
    FileMessage,
    Image,
    Markdown,
    News,
    Receivers,
    Text,
    TextCard,
    WecomMediaKind,
)
from channel.wecom.outreach import ChatType, GroupMessage, GroupWelcome
from channel.wecom.ways import ContactWay, JoinWay
from tests.channel.wecom.conftest import app_account

URL = "https://b.example/me"
PAGE = Page(URL)
YES_NO = [Button("同意", "yes"), Button("拒绝", "no", 2)]
QUESTION = Question("q1", [("1", "是"), ("2", "否")])

BROKEN = [
    Receivers(),
    Receivers(["zs"] * 1001),
    Receivers(partyids=[1] * 101),
    Text(" "),
    Text("字" * 683),
    Markdown("字" * 683),
    TextCard("标" * 43, "述", URL),
    TextCard("", "述", URL),
    TextCard("标", "述" * 171, URL),
    TextCard("标", "述", URL, "五个字按钮"),
    TextCard("标", "述", ""),
    News([]),
    News([Article("标", URL)] * 9),
    News([Article("标" * 43, URL)]),
    Image(""),
    FileMessage(""),
    TextNotice(page=PAGE),
    TextNotice(title="标"),
    TextNotice(title="标", page=Page()),
    TextNotice(title="标", page=PAGE, rows=[Row("行")] * 7),
    TextNotice(title="标", page=PAGE, jumps=[Jump("跳", PAGE)] * 4),
    TextNotice(title="标", page=PAGE, task_id="有汉字"),
    NewsNotice(title="", picture_url=URL, page=PAGE),
    NewsNotice(title="标", picture_url="", page=PAGE),
    NewsNotice(title="标", picture_url=URL),
    ButtonCard(title="标", buttons=YES_NO),
    ButtonCard(title="标", buttons=YES_NO, task_id="t" * 129),
    ButtonCard(title="标", buttons=[], task_id="t"),
    ButtonCard(title="标", buttons=[Button("a", str(key)) for key in range(7)], task_id="t"),
    ButtonCard(title="标", buttons=[YES_NO[0]] * 2, task_id="t"),
    ButtonCard(title="", buttons=YES_NO, task_id="t"),
    ButtonCard(title="标", buttons=[Button("", "yes")], task_id="t"),
    VoteCard(title="标", question=Question("q", []), submit=YES_NO[0], task_id="t"),
    VoteCard(title="标", question=Question("q", [("1", "是")] * 21), submit=YES_NO[0], task_id="t"),
    QuestionsCard(title="标", questions=[QUESTION] * 2, task_id="t"),
    QuestionsCard(
        title="标",
        questions=[dataclasses.replace(QUESTION, key=str(n)) for n in range(4)],
        task_id="t",
    ),
    AttachedImage(),
    AttachedLink("", URL),
    AttachedLink("标" * 43, URL),
    AttachedLink("标", URL, description="述" * 171),
    AttachedMiniprogram("标" * 22, "m", "wx", "p"),
    AttachedVideo(""),
    AttachedFile(""),
    GroupMessage(external_userids=["wm1"]),
    GroupMessage("通知"),
    GroupMessage("通知", chat_type=ChatType.GROUP, chat_ids=["wr1"]),
    GroupMessage("通知", external_userids=["wm"] * 10_001),
    GroupMessage("字" * 1334, external_userids=["wm1"]),
    GroupMessage("通知", [AttachedFile("f")] * 10, external_userids=["wm1"]),
    GroupMessage("通知", tags=[["t"] * 101], sender="zs"),
    GroupWelcome(),
    GroupWelcome("字" * 1001),
    Moment(),
    Moment("字" * 667),
    Moment("新", [AttachedVideo("v"), AttachedImage("p")]),
    Moment("新", [AttachedImage("p")] * 10),
    ContactWay(["zs"] * 101),
    ContactWay(["zs"], state="s" * 31),
    ContactWay(["zs"], remark="备" * 31),
    JoinWay([]),
    JoinWay(["wr"] * 6),
    Remark(remark="备" * 21),
    Remark(description="述" * 151),
    Remark(company="司" * 21),
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda it: f"{type(it).__name__}")
def test_what_breaks_a_rule_is_refused_in_chinese(broken):
    with pytest.raises(RuleBroken) as refused:
        broken.body()

    assert "请修改后再提交" in refused.value.sentence


AT_THE_LIMIT = [
    Receivers(["zs"] * 1000),
    Text("字" * 682),
    TextCard("标" * 42, "述" * 170, URL, "去看看吧"),
    News([Article("标", URL)] * 8),
    GroupMessage("字" * 1333, [AttachedFile("f")] * 9, external_userids=["wm"] * 10_000),
    Moment("新", [AttachedImage("p")] * 9),
    ContactWay(["zs"] * 100, state="s" * 30),
    Remark(remark="备" * 20, description="述" * 150, company="司" * 20),
]


@pytest.mark.parametrize("allowed", AT_THE_LIMIT, ids=lambda it: f"{type(it).__name__}")
def test_what_just_fits_goes_out_whole(allowed):
    assert allowed.body()


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        (WecomMediaKind.IMAGE, (10 << 20) + 1),
        (WecomMediaKind.VOICE, (2 << 20) + 1),
        (WecomMediaKind.FILE, 5),
    ],
)
def test_a_file_of_the_wrong_size_is_not_uploaded(wecom, responses, kind, size):
    with pytest.raises(RuleBroken):
        wecom.upload_media(kind, File("a", bytes(size)))

    assert len(responses.calls) == 0


def test_an_account_without_an_agentid_cannot_send(client_of, responses):
    with pytest.raises(RuleBroken, match="agentid"):
        client_of(app_account(agentid=None)).send_message(Receivers(["zs"]), Text("你好"))


def test_deleting_no_tags_is_refused(wecom, responses):
    with pytest.raises(RuleBroken):
        wecom.delete_corp_tags()


def test_text_and_attachments_may_each_stand_alone():
    assert content_body("您好", []) == {"text": {"content": "您好"}}
    assert "text" not in content_body(" ", [AttachedFile("f")])


def test_a_card_holds_what_was_given():
    card = TextNotice(
        title="工资条",
        description="三月",
        source="信桥",
        subtitle="请查收",
        emphasis=("6120.50", "实发"),
        rows=[
            Row("单位", "滨江实验学校"),
            Row("经办", "张三", userid="zs"),
            Row("网址", "看", URL),
        ],
        jumps=[Jump("小程序", Page(appid="wxmini", pagepath="pages/a"))],
        page=PAGE,
        task_id="t-1",
    )

    assert card.body() == {
        "msgtype": "template_card",
        "template_card": {
            "card_type": "text_notice",
            "source": {"desc": "信桥"},
            "main_title": {"title": "工资条", "desc": "三月"},
            "sub_title_text": "请查收",
            "emphasis_content": {"title": "6120.50", "desc": "实发"},
            "horizontal_content_list": [
                {"keyname": "单位", "value": "滨江实验学校"},
                {"keyname": "经办", "value": "张三", "type": 3, "userid": "zs"},
                {"keyname": "网址", "value": "看", "type": 1, "url": URL},
            ],
            "jump_list": [{"title": "小程序", "type": 2, "appid": "wxmini", "pagepath": "pages/a"}],
            "card_action": {"type": 1, "url": URL},
            "task_id": "t-1",
        },
    }


def test_interactive_cards_hold_what_may_be_tapped():
    buttons = ButtonCard(
        title="审批", buttons=YES_NO, question=QUESTION, subtitle="请处理", task_id="t"
    ).body()["template_card"]
    vote = VoteCard(
        title="投票",
        question=dataclasses.replace(QUESTION, title="选", chosen="1"),
        submit=YES_NO[0],
        is_several=True,
        task_id="t",
    ).body()["template_card"]
    several = QuestionsCard(title="登记", questions=[QUESTION], task_id="t").body()["template_card"]

    assert buttons["button_list"][1] == {"text": "拒绝", "key": "no", "style": 2}
    assert buttons["button_selection"]["question_key"] == "q1"
    assert vote["checkbox"] == {
        "question_key": "q1",
        "title": "选",
        "selected_id": "1",
        "mode": 1,
        "option_list": [{"id": "1", "text": "是"}, {"id": "2", "text": "否"}],
    }
    assert vote["submit_button"] == {"text": "同意", "key": "yes"}
    assert several["submit_button"] == {"text": "提交", "key": "submit"}
