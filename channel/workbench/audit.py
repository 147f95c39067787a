"""The enterprise's audit trail in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from flask import g, render_template, url_for
from flask.typing import ResponseReturnValue

from channel.workbench.desk import Cursor, Form, desk_room, query_of
from core.security import mask_name
from domain.audit.queries import AuditRow, AuditSubject, list_events
from domain.directory.access import Actor, ActorKind, Permission
from domain.payroll.policy import period_in_words

bp = desk_room("audit", "/audit")

ACTIONS = {
    "directory.signin.refused": "拒绝一次微信登录",
    "directory.user.signed_in": "登录工作台",
    "directory.signin.ended_everywhere": "在所有设备上退出登录",
    "directory.user.added": "开通用户",
    "directory.user.joined": "用户绑定了微信或企业微信",
    "directory.user.invited": "重新邀请用户",
    "directory.user.roles_set": "更改用户的角色",
    "directory.user.enabled": "恢复用户",
    "directory.user.disabled": "停用用户",
    "directory.org.added": "开通企业",
    "directory.account.added": "登记渠道账号",
    "directory.account.rotated": "更换渠道账号的密钥",
    "directory.account.changed": "更改渠道账号",
    "directory.account.templates": "更新消息模板",
    "directory.account.enabled": "启用渠道账号",
    "directory.account.disabled": "停用渠道账号",
    "directory.roster.imported": "导入花名册",
    "directory.employee.bound": "员工绑定微信",
    "directory.employee.unbound": "解除员工的微信绑定",
    "directory.binding.refused": "拒绝一次微信绑定",
    "payroll.batch.uploaded": "上传工资表",
    "payroll.batch.read": "识别工资表",
    "payroll.batch.period_set": "填写工资月份",
    "payroll.batch.published": "发布工资条",
    "payroll.batch.reminded": "提醒未读的员工",
    "payroll.batch.discarded": "放弃一批工资条",
    "payroll.row.corrected": "改正一行，仍待核对",
    "payroll.row.settled": "核对一行，已对上",
    "payroll.row.left_out": "一行不发",
    "payroll.row.restored": "恢复不发的一行",
    "payroll.payslip.looked_at": "查看一张工资条",
    "payroll.payslip.opened": "员工打开工资条",
    "payroll.payslip.confirmed": "员工确认工资条",
    "payroll.batch.refused": "拒绝别人打开这一批工资条",
    "payroll.row.refused": "拒绝别人处理待核对的行",
    "payroll.payslip.refused": "拒绝别人打开这张工资条",
    "payroll.question.refused": "拒绝别人打开这个提问",
    "payroll.question.asked": "员工提问",
    "payroll.question.answered": "回复员工提问",
    "pushes.campaign.paused": "暂停一次发送",
    "pushes.campaign.resumed": "继续一次发送",
    "pushes.campaign.cancelled": "取消一次发送",
    "pushes.campaign.resent": "重新发送给失败的人",
    "inbox.event.read": "查看一条微信回调",
    "inbox.event.replayed": "重放一条微信回调",
}
COUNTS = {
    "added": "新增 {} 人",
    "changed": "更新 {} 人",
    "left": "离职 {} 人",
    "unchanged": "未变 {} 人",
    "accepted": "对上 {} 行",
    "held": "待核对 {} 行",
    "payslips": "{} 张",
    "pushes": "{} 人",
}
CODES = {
    "signin_state_refused": "链接已失效，或不是在这部手机上打开的",
    "signin_snapshot_user": "微信的预览页面",
    "signin_loop": "反复登录没有完成",
    "signin_cookies_refused": "浏览器没有保存登录信息",
    "signin_not_a_member": "不是本企业的成员",
    "binding_refused": "信息与花名册不一致",
    "binding_locked": "试的次数太多",
    "bound_to_another_wechat": "已绑定另一个微信",
}
# What stands there when the thing itself is gone: a draft thrown away, for one.
GONE = {
    "payroll_batches": "第 {} 批",
    "payslips": "工资条 {}",
    "payroll_held_rows": "待核对的行 {}",
    "payslip_questions": "提问 {}",
    "push_campaigns": "第 {} 次发送",
    "identities": "微信用户 {}",
    "employees": "员工 {}",
}


class AuditQuery(Form):
    before: Cursor | None = None


@dataclass(frozen=True, slots=True)
class AuditLine:
    id: int
    at: datetime
    who: str
    what: str
    about: str
    url: str | None
    details: str


@bp.get("")
def index() -> ResponseReturnValue:
    query = query_of(AuditQuery)
    page = list_events(g.actor, before=query.before)
    return render_template(
        "hr/audit/index.html",
        lines=[_line(g.actor, row) for row in page.rows],
        next_cursor=page.next_cursor,
        query=query,
    )


def _line(reader: Actor, row: AuditRow) -> AuditLine:
    return AuditLine(
        id=row.id,
        at=row.at,
        who=_who(reader, row),
        what=ACTIONS.get(row.action, row.action),
        about=_about(reader, row),
        url=_url(row.about) if reader.may(Permission.PAYROLL_READ) else None,
        details="，".join(_details(row)),
    )


def _details(row: AuditRow) -> Iterator[str]:
    for key, value in row.details.items():
        if key == "code":
            yield CODES.get(value, value)
        elif value and key in COUNTS:
            yield COUNTS[key].format(value)


def _who(reader: Actor, row: AuditRow) -> str:
    is_refused = row.action.endswith(".refused")
    match row.actor_kind:
        case ActorKind.SYSTEM:
            return "系统"
        case ActorKind.EMPLOYEE:
            return _shown(reader, row.actor_name) or ("微信用户" if is_refused else "员工")
        case ActorKind.USER:
            # Whom the bank employs does nothing that would be refused so: it is a neighbour.
            return row.actor_name or ("别的单位的人员" if is_refused else "银行工作人员")
        case ActorKind.MEMBER:
            return row.actor_name or "企业微信成员"
        case ActorKind.VISITOR:
            return "没有登录的人"


def _about(reader: Actor, row: AuditRow) -> str:
    about = row.about
    parts = (_shown(reader, about.employee), period_in_words(about.period), about.name)
    return " · ".join(filter(None, parts)) or GONE.get(row.subject, "").format(row.subject_id)


def _shown(reader: Actor, employee_name: str) -> str:
    return employee_name if reader.may(Permission.ROSTER_READ) else mask_name(employee_name)


def _url(about: AuditSubject) -> str | None:
    if about.payslip_id:
        return url_for("hr.payroll.payslip", payslip_id=about.payslip_id)
    return url_for("hr.payroll.batch", batch_id=about.batch_id) if about.batch_id else None
