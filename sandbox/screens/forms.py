"""The forms behind 事件: one for each thing that can be made to happen, with what it asks for.

A form becomes a wish (``wechat/wishes.py``, ``wecom/wishes.py``): its fields bear the wish's names.
A default that begins with ``$`` is filled in by the screen: whose screen it is, which chat is open.
"""

from dataclasses import asdict, dataclass
from typing import Any

from sandbox.state import Json

Choices = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Field:
    """``kind``: text, number, list (one a line), choice, check, json."""

    name: str
    label: str
    default: Any = ""
    kind: str = "text"
    choices: Choices = ()


@dataclass(frozen=True, slots=True)
class Form:
    group: str
    title: str
    event: str
    fields: tuple[Field, ...] = ()
    change_type: str = ""
    fixed: tuple[tuple[str, Any], ...] = ()
    note: str = ""

    def as_json(self) -> Json:
        fixed = {"event": self.event} | dict(self.fixed)
        if self.change_type:
            fixed["change_type"] = self.change_type
        return {
            "group": self.group,
            "title": self.title,
            "note": self.note,
            "fixed": fixed,
            "fields": [asdict(one) for one in self.fields],
        }


LATITUDE = Field("latitude", "纬度", 31.23, "number")
LONGITUDE = Field("longitude", "经度", 121.47, "number")
PLACE = Field("content", "地点", "上海市黄浦区外滩")
KEY = Field("key", "按钮的 key", "KEY")
MEDIA = Field("media_id", "media_id", "MEDIA_ID")
SCANNED = Field("content", "扫到的内容", "http://127.0.0.1:8000/")
FIELDS = Field("fields", "XML 字段（JSON）", "", "json")


# A person with WeChat

TEMPLATE = Field("template_id", "模板 ID", "$template_id")
MSGID = Field("msgid", "消息 ID", 1001, "number")

PHONE: tuple[Form, ...] = (
    Form("发消息", "文字", "text", (Field("content", "内容", "你好"),)),
    Form("发消息", "图片", "image", (Field("url", "图片地址"), MEDIA)),
    Form("发消息", "语音", "voice", (MEDIA, Field("content", "识别出的文字，可空"))),
    Form("发消息", "视频", "video", (MEDIA,)),
    Form("发消息", "小视频", "shortvideo", (MEDIA,)),
    Form("发消息", "位置", "location", (PLACE, LATITUDE, LONGITUDE)),
    Form(
        "发消息",
        "链接",
        "link",
        (
            Field("name", "标题", "一条链接"),
            Field("content", "描述"),
            Field("url", "地址", "http://127.0.0.1:8000/"),
        ),
    ),
    Form("菜单", "点击菜单", "click", (KEY,)),
    Form("菜单", "打开菜单里的网页", "view", (Field("url", "地址", "http://127.0.0.1:8000/me"),)),
    Form("菜单", "打开小程序", "view_miniprogram", (Field("key", "页面路径", "pages/index"),)),
    Form("菜单", "扫码推事件", "scancode_push", (KEY, SCANNED)),
    Form("菜单", "扫码并等待消息", "scancode_waitmsg", (KEY, SCANNED)),
    Form("菜单", "拍照发图", "pic_sysphoto", (KEY, MEDIA), note="随后还会收到图片消息"),
    Form("菜单", "拍照或相册", "pic_photo_or_album", (KEY, MEDIA), note="随后还会收到图片消息"),
    Form("菜单", "微信相册", "pic_weixin", (KEY, MEDIA), note="随后还会收到图片消息"),
    Form(
        "菜单",
        "发送位置",
        "location_select",
        (KEY, PLACE, LATITUDE, LONGITUDE),
        note="随后还会收到位置消息",
    ),
    Form("关注", "关注", "subscribe"),
    Form("关注", "扫带参二维码", "scan", (Field("scene", "场景值", "scene-1"),)),
    Form("关注", "取消关注", "unsubscribe"),
    Form("上报", "上报地理位置", "LOCATION", (LATITUDE, LONGITUDE)),
    Form(
        "上报",
        "订阅通知：弹窗中选择",
        "subscribe_msg_popup_event",
        (TEMPLATE, Field("accept", "同意接收", True, "check")),
    ),
    Form("上报", "订阅通知：在设置中关闭", "subscribe_msg_change_event", (TEMPLATE,)),
    Form(
        "上报",
        "订阅通知：发送结果",
        "subscribe_msg_sent_event",
        (
            TEMPLATE,
            MSGID,
            Field(
                "status",
                "结果",
                "success",
                "choice",
                (("success", "成功"), ("user refuse", "用户拒收")),
            ),
        ),
    ),
    Form(
        "上报",
        "模板消息送达结果",
        "TEMPLATESENDJOBFINISH",
        (
            MSGID,
            Field(
                "status",
                "结果",
                "success",
                "choice",
                (
                    ("success", "成功"),
                    ("failed:user block", "用户拒收"),
                    ("failed:system failed", "系统原因失败"),
                    ("failed: user block", "用户拒收（带空格）"),
                ),
            ),
        ),
    ),
    Form(
        "上报",
        "群发结果",
        "MASSSENDJOBFINISH",
        (
            MSGID,
            Field("count", "人数", 100, "number"),
            Field(
                "status",
                "结果",
                "send success",
                "choice",
                (("send success", "成功"), ("send fail", "失败"), ("err(20001)", "涉嫌政治")),
            ),
        ),
    ),
    Form("上报", "屏蔽模板消息", "mute", (TEMPLATE,), note="公众号不会收到任何事件"),
    Form("上报", "恢复模板消息", "unmute", (TEMPLATE,), note="公众号不会收到任何事件"),
    Form("上报", "拒收公众号消息", "block", note="公众号不会收到任何事件"),
    Form("上报", "恢复公众号消息", "unblock", note="公众号不会收到任何事件"),
    Form("其它", "任意字段", "raw", (FIELDS,), note="XML 中只有这里写的字段"),
)


# A corp with WeCom

CUSTOMER, CHAT, TAG = "客户", "客户群", "企业标签"
LINK, TASKS, CARD = "获客链接", "群发与朋友圈", "卡片与审批"
APPROVAL = CARD
BOOK, APP, REST = "通讯录", "应用", "其它"

USERID = Field("userid", "成员", "$userid")
EXTERNAL = Field("external_userid", "客户", "$external_userid")
CHAT_ID = Field("chat_id", "群 ID", "$chat_id")
TAG_ID = Field("tag_id", "标签 ID", "$tag_id")
TAG_TYPE = Field("tag_type", "类型", "tag", "choice", (("tag", "标签"), ("tag_group", "标签组")))
LINK_ID = Field("link_id", "链接 ID", "$link_id")
STATE = Field("state", "state")
PEOPLE = Field("members", "人员（每行一个）", "$external_userid", "list")
OPTION = Field("key", "按钮 key，可空")
TASK = Field("task_id", "task_id，可空")
MOMENT = Field("moment_id", "moment_id")
PARTY = Field("party_id", "部门 ID", 2, "number")

CHAT_EVENT, TAG_EVENT = "change_external_chat", "change_external_tag"
LINK_EVENT, BOOK_EVENT = "customer_acquisition", "change_contact"

ENGINE_STATES: Choices = (("1", "审批中"), ("2", "已通过"), ("3", "已驳回"), ("4", "已取消"))
SYSTEM_STATES: Choices = (
    ("1", "审批中"),
    ("2", "已通过"),
    ("3", "已驳回"),
    ("4", "已撤销"),
    ("6", "通过后撤销"),
    ("7", "已删除"),
    ("10", "已支付"),
)
MEMBER_STATES: Choices = (("1", "在职"), ("2", "禁用"), ("4", "未激活"))
DETAILS: tuple[tuple[str, str, tuple[Field, ...]], ...] = (
    ("add_member", "成员入群", (PEOPLE,)),
    ("del_member", "成员退群", (PEOPLE,)),
    ("change_owner", "更换群主", (USERID,)),
    ("change_name", "修改群名", (Field("name", "新群名", "理财交流群"),)),
    ("change_notice", "修改群公告", (Field("notice", "新公告", "请勿发布广告"),)),
)


def _button(event: str, title: str, *more: Field) -> Form:
    return Form(APP, title, event, (USERID, KEY, *more))


DESKTOP: tuple[Form, ...] = (
    Form(
        CUSTOMER,
        "客户添加成员",
        "add_external_contact",
        (USERID, Field("name", "客户姓名，可空"), STATE),
    ),
    Form(
        CUSTOMER,
        "免验证添加，尚未互为好友",
        "add_half_external_contact",
        (USERID, Field("name", "客户姓名，可空"), STATE),
    ),
    Form(
        CUSTOMER,
        "修改备注",
        "edit_external_contact",
        (USERID, EXTERNAL, Field("remark", "备注", "王总"), Field("description", "描述")),
    ),
    Form(
        CUSTOMER,
        "成员删除客户",
        "del_external_contact",
        (
            USERID,
            EXTERNAL,
            Field(
                "source",
                "来源",
                "",
                "choice",
                (("", "成员自己删除"), ("DELETE_BY_TRANSFER", "转接时自动删除")),
            ),
        ),
    ),
    Form(CUSTOMER, "客户删除成员", "del_follow_user", (USERID, EXTERNAL)),
    Form(
        CUSTOMER,
        "客户接替失败",
        "transfer_fail",
        (
            USERID,
            EXTERNAL,
            Field(
                "fail_reason",
                "原因",
                "customer_refused",
                "choice",
                (("customer_refused", "客户拒绝"), ("customer_limit_exceed", "接替成员客户已满")),
            ),
        ),
    ),
    Form(CUSTOMER, "客户同意会话存档", "msg_audit_approved", (USERID, EXTERNAL)),
    Form(
        CUSTOMER,
        "扫联系我或群二维码",
        "scan_code",
        (Field("config_id", "config_id"), Field("url", "或二维码里的地址"), EXTERNAL),
    ),
    Form(CUSTOMER, "客户接受转接", "accept_transfer", (EXTERNAL,), note="不用等 24 小时"),
    Form(
        CUSTOMER,
        "客户写消息",
        "write_in_chat",
        (USERID, EXTERNAL, Field("content", "内容", "你好")),
        fixed=(("from_contact", True),),
        note="应用不会收到事件",
    ),
    Form(CUSTOMER, "成员申请添加客户", "ask_to_be_added", (USERID,), note="应用不会收到事件"),
    Form(TASKS, "确认群发", "confirm_group_message", (USERID, Field("msgid", "msgid"))),
    Form(TASKS, "发表朋友圈", "publish_moment", (USERID, MOMENT)),
    Form(TASKS, "点赞朋友圈", "like_moment", (USERID, EXTERNAL, MOMENT)),
    Form(TASKS, "评论朋友圈", "comment_moment", (USERID, EXTERNAL, MOMENT)),
    Form(
        CHAT,
        "建群",
        CHAT_EVENT,
        (USERID, Field("name", "群名", "理财交流群"), PEOPLE),
        change_type="create",
    ),
    *(
        Form(
            CHAT,
            title,
            CHAT_EVENT,
            (CHAT_ID, *fields),
            change_type="update",
            fixed=(("update_detail", detail),),
        )
        for detail, title, fields in DETAILS
    ),
    Form(CHAT, "解散群", CHAT_EVENT, (CHAT_ID,), change_type="dismiss"),
    Form(
        TAG,
        "新建标签组",
        TAG_EVENT,
        (Field("name", "名称", "客户等级"),),
        change_type="create",
        fixed=(("tag_type", "tag_group"),),
    ),
    Form(
        TAG,
        "新建标签",
        TAG_EVENT,
        (Field("name", "名称", "重要客户"), Field("group_id", "标签组 ID", "$group_id")),
        change_type="create",
    ),
    Form(
        TAG,
        "标签改名",
        TAG_EVENT,
        (TAG_ID, TAG_TYPE, Field("name", "新名称", "核心客户")),
        change_type="update",
    ),
    Form(TAG, "删除标签", TAG_EVENT, (TAG_ID, TAG_TYPE), change_type="delete"),
    Form(TAG, "标签重新排序", TAG_EVENT, (TAG_ID, TAG_TYPE), change_type="shuffle"),
    Form(LINK, "打开获客链接", "open_acquisition_link", (LINK_ID, STATE, EXTERNAL)),
    Form(LINK, "额度即将耗尽", LINK_EVENT, change_type="balance_low"),
    Form(LINK, "额度已耗尽", LINK_EVENT, change_type="balance_exhausted"),
    Form(LINK, "额度即将过期", LINK_EVENT, change_type="quota_expire_soon"),
    Form(LINK, "链接不可用", LINK_EVENT, (LINK_ID,), change_type="link_unavailable"),
    Form(LINK, "链接被删除", LINK_EVENT, (LINK_ID,), change_type="delete_link"),
    Form(
        LINK,
        "客户开口",
        LINK_EVENT,
        (LINK_ID, STATE, USERID, EXTERNAL),
        change_type="customer_start_chat",
    ),
    Form(LINK, "客户发起好友申请", LINK_EVENT, (LINK_ID, STATE), change_type="friend_request"),
    Form(CARD, "点击卡片按钮", "template_card_event", (USERID, OPTION, TASK)),
    Form(CARD, "点击卡片右上角菜单", "template_card_menu_event", (USERID, OPTION, TASK)),
    Form(
        APPROVAL,
        "审批引擎：状态变化",
        "open_approval_change",
        (
            USERID,
            Field("number", "审批单号 ThirdNo", "201806010001"),
            Field("status", "状态", "1", "choice", ENGINE_STATES),
            Field("name", "模板名称", "付款审批"),
            Field("members", "审批人（每行一个）", "$userid", "list"),
            Field("content", "审批意见"),
        ),
    ),
    Form(
        APPROVAL,
        "审批应用：状态变化",
        "sys_approval_change",
        (
            USERID,
            Field("number", "审批单号 SpNo", "202603280001"),
            Field("status", "状态", "1", "choice", SYSTEM_STATES),
            Field("name", "模板名称", "付款审批"),
        ),
    ),
    Form(
        BOOK,
        "新增成员",
        BOOK_EVENT,
        (Field("userid", "userid", "new-member"), Field("name", "姓名", "新同事")),
        change_type="create_user",
    ),
    Form(
        BOOK,
        "修改成员",
        BOOK_EVENT,
        (
            USERID,
            Field("name", "姓名，可空"),
            Field("status", "状态", "1", "choice", MEMBER_STATES),
        ),
        change_type="update_user",
    ),
    Form(BOOK, "成员离职", BOOK_EVENT, (Field("userid", "userid"),), change_type="delete_user"),
    Form(
        BOOK,
        "新增部门",
        BOOK_EVENT,
        (PARTY, Field("parent_id", "上级部门", 1, "number"), Field("name", "名称", "营业部")),
        change_type="create_party",
    ),
    Form(
        BOOK,
        "修改部门",
        BOOK_EVENT,
        (PARTY, Field("name", "名称", "营业二部")),
        change_type="update_party",
    ),
    Form(BOOK, "删除部门", BOOK_EVENT, (PARTY,), change_type="delete_party"),
    Form(
        BOOK,
        "成员标签变化",
        BOOK_EVENT,
        (Field("tag_id", "标签 ID", "7"), Field("members", "成员（每行一个）", "$userid", "list")),
        change_type="update_tag",
    ),
    Form(
        BOOK,
        "异步任务完成",
        "batch_job_result",
        (
            Field("job_id", "任务 ID", "job-1"),
            Field(
                "job_type",
                "任务",
                "sync_user",
                "choice",
                (
                    ("sync_user", "更新成员"),
                    ("replace_user", "覆盖成员"),
                    ("invite_user", "邀请成员"),
                    ("replace_party", "覆盖部门"),
                ),
            ),
        ),
    ),
    Form(APP, "成员可见应用", "subscribe", (USERID,)),
    Form(APP, "成员不再可见应用", "unsubscribe", (USERID,)),
    Form(APP, "进入应用", "enter_agent", (USERID,)),
    Form(APP, "上报地理位置", "LOCATION", (USERID, LATITUDE, LONGITUDE)),
    _button("click", "点击菜单"),
    Form(
        APP,
        "打开菜单里的网页",
        "view",
        (USERID, Field("url", "地址", "http://127.0.0.1:8000/sidebar/")),
    ),
    Form(
        APP,
        "打开小程序",
        "view_miniprogram",
        (USERID, Field("key", "页面路径", "pages/index")),
    ),
    _button("scancode_push", "扫码推事件", SCANNED),
    _button("scancode_waitmsg", "扫码并等待消息", SCANNED),
    _button("pic_sysphoto", "拍照发图"),
    _button("pic_photo_or_album", "拍照或相册"),
    _button("pic_weixin", "微信相册"),
    _button("location_select", "发送位置", PLACE, LATITUDE, LONGITUDE),
    Form(APP, "发文字", "text", (USERID, Field("content", "内容", "你好"))),
    Form(APP, "发图片", "image", (USERID, MEDIA)),
    Form(APP, "发语音", "voice", (USERID, MEDIA)),
    Form(APP, "发视频", "video", (USERID, MEDIA)),
    Form(APP, "发位置", "location", (USERID, PLACE, LATITUDE, LONGITUDE)),
    Form(
        APP,
        "发链接",
        "link",
        (
            USERID,
            Field("name", "标题", "一条链接"),
            Field("url", "地址", "http://127.0.0.1:8000/"),
        ),
    ),
    Form(REST, "任意字段", "raw", (USERID, FIELDS), note="XML 中只有这里写的字段"),
)
