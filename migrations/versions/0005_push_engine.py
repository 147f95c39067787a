"""The push engine: campaigns above the ledger, slim rows in it, what is known of people.

Nobody sends while this runs. What was on its way is ``unknown`` afterwards, because its old
``client_msg_id`` is gone with its old row.

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-22 05:12:00
"""

import json
import secrets
from datetime import timedelta

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")
MYSQL = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
LADDERS = {
    "payslip_ready": ["template", "miniprogram", "wecom"],
    "question_answered": ["template", "miniprogram", "wecom"],
}


def upgrade():
    for name in ("employee_id", "org_path"):
        op.drop_index(op.f(f"ix_pushes_{name}"), "pushes")
    # The foreign key of MySQL leans on this index, which goes with the table.
    for name in ("ix_pushes_status_try_after", "ix_pushes_topic_status"):
        op.drop_index(name, "pushes")
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_pushes_msgid", "pushes")
    op.rename_table("pushes", "old_pushes")
    _create_campaigns()
    _create_pushes()
    _create_unreachables()
    _move(op.get_bind())
    op.drop_table("old_pushes")


def _create_campaigns():
    op.create_table(
        "push_campaigns",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_account_id", BIG, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("audience", sa.String(length=64), nullable=True),
        sa.Column("audience_id", BIG, nullable=True),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("ladder", sa.JSON(), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("urgency", sa.String(length=40), nullable=False),
        sa.Column("is_gradual", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("prepared_to", BIG, nullable=False),
        sa.Column("prepared_at", INSTANT, nullable=True),
        sa.Column("total_count", BIG, nullable=False),
        sa.Column("fed_to", BIG, nullable=False),
        sa.Column("fed_count", BIG, nullable=False),
        sa.Column("fed_at", INSTANT, nullable=True),
        sa.Column("last_id", BIG, nullable=False),
        sa.Column("requested_by", BIG, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("held_until", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("org_path", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_account_id"],
            ["channel_accounts.id"],
            name=op.f("fk_push_campaigns_channel_account_id_channel_accounts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_campaigns")),
        sa.UniqueConstraint("key", name=op.f("uq_push_campaigns_key")),
        **MYSQL,
    )
    op.create_index(op.f("ix_push_campaigns_org_path"), "push_campaigns", ["org_path"])
    op.create_index(
        "ix_push_campaigns_account_status", "push_campaigns", ["channel_account_id", "status"]
    )


def _create_pushes():
    op.create_table(
        "pushes",
        sa.Column("id", BIG, nullable=False),
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column("employee_id", BIG, nullable=False),
        sa.Column("subject_id", BIG, nullable=False),
        sa.Column("route", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("errcode", BIG, nullable=True),
        sa.Column("msgid", sa.String(length=64), nullable=True),
        sa.Column("attempts", BIG, nullable=False),
        sa.Column("resends", BIG, nullable=False),
        sa.Column("claim", sa.BigInteger(), nullable=True),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("in_doubt_since", INSTANT, nullable=True),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("delivered_at", INSTANT, nullable=True),
        sa.Column("tried", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["push_campaigns.id"],
            name=op.f("fk_pushes_campaign_id_push_campaigns"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pushes")),
        sa.UniqueConstraint(
            "campaign_id", "employee_id", name=op.f("uq_pushes_campaign_id_employee_id")
        ),
        **MYSQL,
    )
    op.create_index(op.f("ix_pushes_employee_id"), "pushes", ["employee_id"])
    op.create_index("ix_pushes_campaign_status", "pushes", ["campaign_id", "status", "sent_at"])
    op.create_index("ix_pushes_status_due", "pushes", ["status", "due_at"])
    op.create_index("ix_pushes_msgid", "pushes", ["msgid"])


def _create_unreachables():
    op.create_table(
        "push_unreachables",
        sa.Column("id", BIG, nullable=False),
        sa.Column("identity_id", BIG, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("noted_at", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["identity_id"],
            ["identities.id"],
            name=op.f("fk_push_unreachables_identity_id_identities"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_unreachables")),
        sa.UniqueConstraint(
            "identity_id", "kind", name=op.f("uq_push_unreachables_identity_id_kind")
        ),
        **MYSQL,
    )


# --- the rows -------------------------------------------------------------------------------


def _move(bind):
    """A payroll's pushes become one campaign, any other push one of its own."""
    meta = sa.MetaData()
    old, campaigns = (
        sa.Table(name, meta, autoload_with=bind) for name in ("old_pushes", "push_campaigns")
    )
    group = sa.case((old.c.kind == "payslip_ready", old.c.topic), else_=old.c.key)
    groups = bind.execute(
        sa.select(group, sa.func.min(old.c.id), sa.func.max(old.c.id), sa.func.count()).group_by(
            group
        )
    ).all()
    for key, first_id, last_id, count in groups:
        first = bind.execute(sa.select(old).where(old.c.id == first_id)).one()
        stem = first.path.rpartition("/")[0] + "/"
        campaign_id = bind.execute(
            campaigns.insert().values(_campaign(first, key, stem, last_id, count))
        ).inserted_primary_key[0]
        bind.execute(
            sa.text(
                "INSERT INTO pushes (id, campaign_id, employee_id, subject_id, route, status, reason,"
                " errcode, msgid, attempts, resends, due_at, sent_at, delivered_at)"
                " SELECT id, :campaign_id, employee_id, SUBSTR(path, :stem) + 0, 'template',"
                " CASE WHEN status IN ('sending', 'temporary-failure') THEN 'unknown' ELSE status END,"
                " reason, errcode, msgid, attempts, 0, NULL, sent_at, delivered_at"
                " FROM old_pushes WHERE CASE WHEN kind = 'payslip_ready' THEN topic ELSE `key` END"
                " = :group"
            ),
            {"campaign_id": campaign_id, "stem": len(stem) + 1, "group": key},
        )


def _campaign(first, key, stem, last_id, count):
    params = first.params
    return {
        "channel_account_id": first.channel_account_id,
        "kind": first.kind,
        "key": key,
        "params": params if isinstance(params, dict) else json.loads(params),
        "path": stem + "{}",
        "ladder": LADDERS[first.kind],
        "nonce": secrets.token_hex(6),
        "status": "running",
        "urgency": "bulk",
        "is_gradual": False,
        "prepared_to": 0,
        "prepared_at": first.created_at,
        "total_count": count,
        "fed_to": first.id - 1,
        "fed_count": 0,
        "last_id": last_id,
        "created_at": first.created_at,
        "starts_at": first.created_at,
        "expires_at": first.created_at + timedelta(days=3),
        "org_path": first.org_path,
    }


def downgrade():
    for name in ("ix_pushes_status_due", "ix_pushes_msgid", op.f("ix_pushes_employee_id")):
        op.drop_index(name, "pushes")
    op.rename_table("pushes", "new_pushes")
    op.create_table(
        "pushes",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_account_id", BIG, nullable=False),
        sa.Column("employee_id", BIG, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("client_msg_id", sa.String(length=32), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("attempts", BIG, nullable=False),
        sa.Column("errcode", BIG, nullable=True),
        sa.Column("msgid", BIG, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("first_tried_at", INSTANT, nullable=True),
        sa.Column("claimed_at", INSTANT, nullable=True),
        sa.Column("try_after", INSTANT, nullable=True),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("delivered_at", INSTANT, nullable=True),
        sa.Column("org_path", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_account_id"],
            ["channel_accounts.id"],
            name=op.f("fk_pushes_channel_account_id_channel_accounts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pushes")),
        sa.UniqueConstraint("client_msg_id", name=op.f("uq_pushes_client_msg_id")),
        sa.UniqueConstraint("key", name=op.f("uq_pushes_key")),
        **MYSQL,
    )
    # Of another's route or a number that is none, only that it was sent is kept.
    op.execute(
        "INSERT INTO pushes (id, channel_account_id, employee_id, kind, topic, `key`, client_msg_id,"
        " params, path, status, reason, attempts, errcode, created_at, sent_at, delivered_at,"
        " org_path)"
        " SELECT p.id, c.channel_account_id, p.employee_id, c.kind, c.`key`,"
        " REPLACE('push:#', '#', p.id), REPLACE('push-#', '#', p.id), c.params,"
        " REPLACE(c.path, '{}', p.subject_id),"
        " CASE WHEN p.status IN ('created', 'sending', 'temporary-failure', 'cancelled')"
        " THEN 'unknown' ELSE p.status END,"
        " p.reason, p.attempts, p.errcode, c.created_at, p.sent_at, p.delivered_at, c.org_path"
        " FROM new_pushes p JOIN push_campaigns c ON c.id = p.campaign_id"
    )
    op.drop_table("new_pushes")
    op.drop_table("push_campaigns")
    op.drop_table("push_unreachables")
    op.create_index(op.f("ix_pushes_employee_id"), "pushes", ["employee_id"])
    op.create_index("ix_pushes_msgid", "pushes", ["channel_account_id", "msgid"])
    op.create_index(op.f("ix_pushes_org_path"), "pushes", ["org_path"])
    op.create_index("ix_pushes_status_try_after", "pushes", ["status", "try_after"])
    op.create_index("ix_pushes_topic_status", "pushes", ["topic", "status"])
