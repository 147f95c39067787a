"""The application and the list of its doors; the only module that knows every room."""

from pathlib import Path

from flask import Flask
from flask.cli import FlaskGroup
from flask_migrate import Migrate

from channel import budget
from channel.pages import account, binding, desk, member, payslips
from channel.pages import signin as me_signin
from channel.signin import (
    employee_guard,
    identity_guard,
    member_guard,
    script_guard,
    workbench_guard,
)
from channel.wechat import callback as wechat_callback
from channel.wechat import jssdk as wechat_jssdk
from channel.wecom import callback as wecom_callback
from channel.wecom import jssdk as wecom_jssdk
from channel.workbench import audit, front, home, payroll, pushes, questions, roster, rows
from channel.workbench import signin as desk_signin
from channel.workbench.ops import inbox as ops_inbox
from channel.workbench.ops import overview, templates, usage
from channel.workbench.ops import pushes as ops_pushes
from core import health, metrics
from core.db import db, init_db
from core.log import setup_logging
from core.metrics import measure_requests, show_gauges
from core.security import init_security
from core.settings import Settings, get_settings
from core.web import door, init_web, json_refusal, page_refusal, public_guard
from domain.inbox import queries as inbox_queries
from domain.pushes import queries as push_queries
from domain.pushes import stuck
from workers.commands import register_commands, register_lone_commands


def create_app(settings: Settings | None = None) -> Flask:
    settings = settings or get_settings()
    setup_logging(settings.log_level)
    app = Flask(__name__)
    app.config["SETTINGS"] = settings
    init_db(app, settings.database)
    Migrate(app, db, directory=Path(__file__).with_name("migrations"))
    init_security(settings)
    measure_requests(app)  # first, so that what the CSRF check refuses is measured too
    init_web(app, settings)
    show_gauges(*inbox_queries.GAUGES, *push_queries.GAUGES, *stuck.GAUGES, *budget.GAUGES)
    open_doors(app)
    register_commands(app)
    return app


def open_doors(app: Flask) -> None:
    """Who may enter where, and how that door says no."""
    door(app, "health", "", public_guard, json_refusal, health.bp, metrics.bp)
    door(app, "front", "", public_guard, page_refusal, front.bp)
    door(
        app, "callback", "/callback", public_guard, json_refusal,
        wechat_callback.bp, wecom_callback.bp, machines=True,
    )  # fmt: skip
    door(app, "jssdk", "/jssdk", public_guard, json_refusal, wechat_jssdk.bp, wecom_jssdk.bp)
    door(app, "me_script", "/me", script_guard, json_refusal, wechat_jssdk.own_bp)
    for name in ("sidebar", "team"):
        way_in, inside = f"{name}_signin", f"/{name}"
        door(app, way_in, inside, public_guard, page_refusal, member.signin_bp)
        door(app, name, inside, member_guard, page_refusal, member.home_bp)
    door(app, "welcome", "/me", public_guard, page_refusal, me_signin.bp)
    door(app, "binding", "/me/bind", identity_guard, page_refusal, binding.bp)
    door(app, "desk", "/me/desk", identity_guard, page_refusal, desk.bp)
    door(app, "employee", "/me", employee_guard, page_refusal, payslips.bp, account.bp)
    door(app, "desk_signin", "/hr/signin", public_guard, page_refusal, desk_signin.bp)
    door(
        app, "hr", "/hr", workbench_guard, page_refusal,
        home.bp, roster.bp, payroll.bp, rows.bp, questions.bp, pushes.bp, audit.bp,
    )  # fmt: skip
    door(
        app, "ops", "/ops", workbench_guard, page_refusal,
        overview.bp, ops_inbox.bp, ops_pushes.bp, templates.bp, usage.bp,
    )  # fmt: skip


cli = FlaskGroup(
    name="xinqiao",
    create_app=create_app,
    add_default_commands=False,  # `xinqiao run` is ours
    add_version_option=False,
    load_dotenv=False,  # core/settings.py reads .env
)
register_lone_commands(cli)


def main() -> None:
    cli()


if __name__ == "__main__":
    main()
