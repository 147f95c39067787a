"""The address without a path: people who type it are at the desk."""

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

bp = Blueprint("front", __name__)


@bp.get("/")
def to_the_desk() -> ResponseReturnValue:
    return redirect(url_for("hr.home.index"))
