"""Chinese for what the pages of operations show."""

from datetime import timedelta

from channel.breaker import BreakerOpen
from channel.budget import BudgetExhausted
from channel.checkup.findings import TITLES, Check, Verdict
from channel.wechat.errors import WeChatError, WeChatUnreachable
from core.queues import QueueName
from domain.directory.errors import AccountUnknown
from domain.inbox.models import InboxState

VERDICTS = {
    Verdict.WELL: ("正常", "ok"),
    Verdict.BROKEN: ("有误", "danger"),
    Verdict.UNKNOWN: ("不明", ""),
}
STATES = {
    InboxState.RECEIVED: ("等待处理", "info"),
    InboxState.PROCESSING: ("处理中", "info"),
    InboxState.DONE: ("已处理", "ok"),
    InboxState.IGNORED: ("无需处理", ""),
    InboxState.TOO_LATE: ("已过时限", "warn"),
    InboxState.DEAD: ("处理失败", "danger"),
}
QUEUES = {
    QueueName.URGENT: "紧急（欢迎语等）",
    QueueName.INBOX: "回调",
    QueueName.PUSH: "发送通知",
    QueueName.PAYROLL: "识别工资表",
}
WINDOWS = {"minute": "每分钟", "hour": "每小时", "day": "每天", "": "—"}
# Why an event was not handled at its last try: a refusal's code or an error's class.
REASONS = {
    "worker-died": "处理它的进程中途退出",
    "TryLater": "相关的记录还没有到，稍后再试",
    WeChatUnreachable.code: "微信没有回应",
    WeChatError.code: "微信没有接受我们的请求",
    BreakerOpen.code: "账号的密钥或地址被微信拒绝，已暂停请求",
    BudgetExhausted.code: "接口的调用额度已用完",
    AccountUnknown.code: "账号已停用",
}


def title_of_check(check_id: str) -> str:
    return TITLES[Check(check_id)] if check_id in TITLES else check_id


def duration(length: timedelta) -> str:
    """Whole seconds, minutes or hours: how long something has waited."""
    seconds = int(length.total_seconds())
    if seconds < 1:
        return "无"
    if seconds < 60:
        return f"{seconds} 秒"
    if seconds < 3600:
        return f"{seconds // 60} 分钟"
    return f"{seconds // 3600} 小时"
