"""A registry of message templates, synced from the platforms.

The column ``channel_accounts.templates`` stays for the release that is still running; from now on
nothing reads it. Until its first sync an account uses what that column said.

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-22 05:30:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")
LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql")
MYSQL = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade():
    op.create_table(
        "message_templates",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_account_id", BIG, nullable=False),
        sa.Column("template_id", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("content", LONG_TEXT, nullable=False),
        sa.Column("example", LONG_TEXT, nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("former_fields", sa.JSON(), nullable=True),
        sa.Column("kind", sa.String(length=64), nullable=True),
        sa.Column("synced_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=True),
        sa.Column("removed_at", INSTANT, nullable=True),
        sa.Column("org_path", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_account_id"],
            ["channel_accounts.id"],
            name=op.f("fk_message_templates_channel_account_id_channel_accounts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_templates")),
        sa.UniqueConstraint(
            "channel_account_id",
            "template_id",
            name=op.f("uq_message_templates_channel_account_id_template_id"),
        ),
        **MYSQL,
    )
    op.create_index(op.f("ix_message_templates_org_path"), "message_templates", ["org_path"])
    _move(op.get_bind())


def _move(bind):
    accounts = sa.table(
        "channel_accounts",
        *(sa.column(name) for name in ("id", "org_path", "created_at")),
        sa.column("templates", sa.JSON()),
    )
    registry = sa.table(
        "message_templates",
        *(sa.column(name) for name in ("channel_account_id", "org_path", "template_id", "kind")),
        *(sa.column(name) for name in ("title", "content", "example", "synced_at")),
        sa.column("fields", sa.JSON()),
    )
    for account in bind.execute(sa.select(accounts)).all():
        kinds = {template_id: kind for kind, template_id in (account.templates or {}).items()}
        for template_id, kind in kinds.items():
            row = {
                "channel_account_id": account.id,
                "org_path": account.org_path,
                "template_id": template_id,
                "kind": kind,
                "title": "",
                "content": "",
                "example": "",
                "synced_at": account.created_at,
                "fields": [],
            }
            bind.execute(registry.insert().values(row))


def downgrade():
    op.drop_table("message_templates")
