"""Binding: the employee tells name, phone and the ID number's end once."""

import re
from http import HTTPStatus
from typing import Annotated

from flask import Blueprint, flash, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.functional_validators import BeforeValidator

from channel.pages.frame import page
from core.errors import DomainError
from domain.directory.errors import BindingLocked, BindingRefused, BoundToAnotherWechat
from domain.directory.service import bind_employee

bp = Blueprint("binding", __name__)

FAULTS = {
    "name": "请填写姓名（不超过 40 个字）",
    "phone": "手机号应是 11 位数字",
    "id_tail": "请填写身份证号的最后六位，末位可以是 X",
}
TITLES: dict[type[DomainError], str] = {
    BindingRefused: "信息对不上",
    BindingLocked: "试的次数太多",
    BoundToAnotherWechat: "已绑定另一个微信",
}


def _plain_phone(text: object) -> str:
    """As address books write it: ``+86 138-0000-0001``."""
    return re.sub(r"^(\+|00)?86(?=1\d{10}$)", "", re.sub(r"[\s-]", "", str(text)))


class BindingForm(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=40)
    phone: Annotated[str, BeforeValidator(_plain_phone), StringConstraints(pattern=r"^1\d{10}$")]
    id_tail: str = Field(pattern=r"^\d{5}[\dXx]$")


@bp.get("")
def form() -> ResponseReturnValue:
    if g.actor.employee_ids:
        return redirect(url_for("employee.payslips.index"))
    return _form()


@bp.post("")
def bind() -> ResponseReturnValue:
    try:
        filled = BindingForm.model_validate(request.form.to_dict())
    except ValidationError as error:
        errors = {str(fault["loc"][0]): FAULTS[str(fault["loc"][0])] for fault in error.errors()}
        return _form(errors=errors), HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        bind_employee(g.actor.id, filled.name, filled.phone, filled.id_tail)
    except (BindingRefused, BindingLocked, BoundToAnotherWechat) as refusal:
        return _form(title=TITLES[type(refusal)], refusal=refusal.sentence), refusal.status
    flash("绑定成功，以后从公众号打开就能看到自己的工资条", "ok")
    return redirect(url_for("employee.payslips.index"), HTTPStatus.SEE_OTHER)


def _form(*, errors: dict[str, str] | None = None, title: str = "", refusal: str = "") -> str:
    # The ID number's end is not sent back: it has to be looked at and typed again anyway.
    return page(
        "binding/binding/form.html",
        name=request.form.get("name", ""),
        phone=request.form.get("phone", ""),
        errors=errors or {},
        refusal_title=title,
        refusal=refusal,
    )
