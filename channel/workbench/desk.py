"""What the rooms of the desk share: the frame around a page, reading forms, and saying no."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import BadInput, Conflict, Forbidden
from domain.directory.access import Actor, Permission
from domain.directory.models import OrgKind
from domain.directory.queries import line_of_orgs
from domain.payroll.policy import period_in_words

SEE_OTHER = 303


class Form(BaseModel):
    """What a person sent, as text; the token and whatever else came along is left aside."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)


# An id as a browser sends it; a longer one no database can look for.
Cursor = Annotated[int, Field(ge=0, lt=2**63)]

_F = TypeVar("_F", bound=Form)


@dataclass(frozen=True, slots=True)
class NavItem:
    endpoint: str
    label: str
    hint: str
    permission: Permission | None
    url: str = ""
    is_current: bool = False


NAV = (
    NavItem("hr.home.index", "首页", "", None),
    NavItem("hr.payroll.index", "工资条", "上传、核对和发布工资条", Permission.PAYROLL_READ),
    NavItem("hr.roster.index", "花名册", "更新在职和离职的员工", Permission.ROSTER_READ),
    NavItem("hr.questions.index", "员工提问", "回复员工的提问", Permission.PAYROLL_ANSWER),
    NavItem("hr.pushes.index", "发送记录", "查看通知发给了谁、是否送达", Permission.PUSHES_READ),
    NavItem(
        "ops.overview.index",
        "运行状况",
        "查看公众号、企业微信应用和小程序是否正常",
        Permission.ACCOUNTS_READ,
    ),
    NavItem(
        "ops.inbox.index", "微信回调", "查看收到的回调，重放没有处理好的", Permission.INBOX_READ
    ),
    NavItem(
        "ops.templates.index",
        "消息模板",
        "查看哪条消息用哪个模板，预览发给一个人的样子",
        Permission.ACCOUNTS_READ,
    ),
    NavItem(
        "ops.pushes.index",
        "发送异常",
        "查看停住的和不会再发的消息，以及怎么办",
        Permission.ACCOUNTS_READ,
    ),
    NavItem("ops.usage.index", "接口用量", "查看接口的用量、额度和告警", Permission.ACCOUNTS_READ),
    NavItem("hr.audit.index", "操作记录", "查看谁在什么时候做了什么", Permission.AUDIT_READ),
)


def desk_room(name: str, prefix: str | None = None) -> Blueprint:
    """A blueprint of the desk: its pages stand in the frame, its "you may not" too."""
    bp = Blueprint(name, __name__, url_prefix=prefix)
    bp.context_processor(_frame)
    bp.register_error_handler(Forbidden, _say_what_is_allowed)
    return bp


def share_in_words(part: int, whole: int) -> str:
    """``79.6 %``, rounded down: nobody reads 100 % while one is missing, nor 0 % of somebody."""
    if not whole:
        return ""
    permille = 1000 * part // whole
    return f"{permille / 10:g} %" if permille or not part else "<0.1 %"


WORDS = {"period_in_words": period_in_words, "share_in_words": share_in_words}


def _frame() -> dict[str, Any]:
    actor: Actor | None = g.get("actor")
    # What htmx asks for has no frame around it, and comes every second or two; and a form without
    # its token is refused before the guard has seen who is there.
    if actor is None or request.headers.get("HX-Request"):
        return WORDS
    *above, enterprise = line_of_orgs(actor.org_path)
    banks = [org.name for org in above if org.kind in (OrgKind.UNION, OrgKind.BANK)]
    return {
        "bank_name": banks[-1] if banks else enterprise.name,
        "enterprise_name": enterprise.name,
        "user_name": actor.name,
        "sign_out_url": url_for("desk_signin.signin.leave"),
        "nav": allowed_nav(actor),
        **WORDS,
    }


def allowed_nav(actor: Actor) -> list[NavItem]:
    items = []
    for item in NAV:
        if item.permission is None or actor.may(item.permission):
            url = url_for(item.endpoint)
            is_here = request.path == url or (
                not url.endswith("/") and request.path.startswith(f"{url}/")
            )
            items.append(
                NavItem(item.endpoint, item.label, item.hint, item.permission, url, is_here)
            )
    return items


def _say_what_is_allowed(error: Forbidden) -> ResponseReturnValue:
    return render_template("hr/forbidden.html", sentence=error.sentence), error.status


def form_of(model: type[_F]) -> _F:
    return read_values(model, request.form.to_dict())


def query_of(model: type[_F]) -> _F:
    return read_values(model, request.args.to_dict())


def read_values(model: type[_F], values: Mapping[str, object]) -> _F:
    try:
        return model.model_validate(values)
    except ValidationError:
        pass  # its text repeats what was sent
    raise BadInput


@contextmanager
def sentences() -> Iterator[None]:
    """A refusal that people can mend is told on the page to which they return."""
    try:
        yield
    except (BadInput, Conflict) as refusal:
        flash(refusal.sentence, "error")


def see_other(endpoint: str, **values: Any) -> ResponseReturnValue:
    return redirect(url_for(endpoint, **values), SEE_OTHER)
