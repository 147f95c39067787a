"""The first tables: directory, inbox, payroll, pushes, audit, data keys.

Revision ID: 0001
Revises: nothing
Create Date: 2026-11-21 22:14:53.114037
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only for INTEGER keys.
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")
LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql")


def upgrade():
    op.create_table(
        "audit_events",
        sa.Column("id", BIG, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor_kind", sa.String(length=40), nullable=False),
        sa.Column("actor_id", BIG, nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("subject_id", BIG, nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("org_path", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index(op.f("ix_audit_events_org_path"), "audit_events", ["org_path"], unique=False)

    op.create_table(
        "channel_accounts",
        sa.Column("id", BIG, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("appid", sa.String(length=64), nullable=False),
        sa.Column("agentid", sa.String(length=64), nullable=True),
        sa.Column("mode", sa.String(length=40), nullable=False),
        sa.Column("secret_sealed", LONG_TEXT, nullable=False),
        sa.Column("token_sealed", LONG_TEXT, nullable=False),
        sa.Column("aes_key_sealed", LONG_TEXT, nullable=False),
        sa.Column("old_aes_key_sealed", LONG_TEXT, nullable=True),
        sa.Column("templates", sa.JSON(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("org_path", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_channel_accounts_name")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index(
        op.f("ix_channel_accounts_org_path"), "channel_accounts", ["org_path"], unique=False
    )

    op.create_table(
        "data_keys",
        sa.Column("id", BIG, nullable=False),
        sa.Column("use", sa.String(length=64), nullable=False),
        sa.Column("wrapped", sa.String(length=255), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_keys")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_table(
        "employees",
        sa.Column("id", BIG, nullable=False),
        sa.Column("emp_id", sa.String(length=64), nullable=False),
        sa.Column("emp_no", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("department", sa.String(length=255), nullable=False),
        sa.Column("personal_sealed", LONG_TEXT, nullable=False),
        sa.Column("phone_index", sa.String(length=64), nullable=True),
        sa.Column("id_no_index", sa.String(length=64), nullable=True),
        sa.Column("joined_on", sa.Date(), nullable=True),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("org_path", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employees")),
        sa.UniqueConstraint("org_path", "emp_id", name=op.f("uq_employees_org_path_emp_id")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index(op.f("ix_employees_id_no_index"), "employees", ["id_no_index"], unique=False)
    op.create_index(op.f("ix_employees_org_path"), "employees", ["org_path"], unique=False)
    op.create_index(op.f("ix_employees_phone_index"), "employees", ["phone_index"], unique=False)

    op.create_table(
        "orgs",
        sa.Column("id", BIG, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("org_path", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orgs")),
        sa.UniqueConstraint("org_path", name=op.f("uq_orgs_org_path")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index(op.f("ix_orgs_org_path"), "orgs", ["org_path"], unique=False)

    op.create_table(
        "payroll_batches",
        sa.Column("id", BIG, nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("file_key", sa.String(length=255), nullable=False),
        sa.Column("upload_key", sa.String(length=64), nullable=True),
        sa.Column("refusal_code", sa.String(length=64), nullable=True),
        sa.Column("refusal_message", LONG_TEXT, nullable=True),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("layout", sa.JSON(), nullable=False),
        sa.Column("hidden_columns", sa.JSON(), nullable=False),
        sa.Column("net_total_fen", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", BIG, nullable=False),
        sa.Column("published_at", INSTANT, nullable=True),
        sa.Column("published_by", BIG, nullable=True),
        sa.Column("org_path", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payroll_batches")),
        sa.UniqueConstraint("upload_key", name=op.f("uq_payroll_batches_upload_key")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index(
        op.f("ix_payroll_batches_org_path"), "payroll_batches", ["org_path"], unique=False
    )

    op.create_table(
        "identities",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_account_id", BIG, nullable=False),
        sa.Column("openid", sa.String(length=64), nullable=False),
        sa.Column("is_follower", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("org_path", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_account_id"],
            ["channel_accounts.id"],
            name=op.f("fk_identities_channel_account_id_channel_accounts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
        sa.UniqueConstraint(
            "channel_account_id", "openid", name=op.f("uq_identities_channel_account_id_openid")
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index(op.f("ix_identities_org_path"), "identities", ["org_path"], unique=False)

    op.create_table(
        "inbox_events",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_account_id", BIG, nullable=False),
        sa.Column("body_index", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("change_type", sa.String(length=64), nullable=False),
        sa.Column("openid", sa.String(length=64), nullable=False),
        sa.Column("body_sealed", LONG_TEXT, nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("attempts", BIG, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("claimed_at", INSTANT, nullable=True),
        sa.Column("try_after", INSTANT, nullable=True),
        sa.Column("processed_at", INSTANT, nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("org_path", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_account_id"],
            ["channel_accounts.id"],
            name=op.f("fk_inbox_events_channel_account_id_channel_accounts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox_events")),
        sa.UniqueConstraint(
            "channel_account_id",
            "body_index",
            name=op.f("uq_inbox_events_channel_account_id_body_index"),
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index(op.f("ix_inbox_events_org_path"), "inbox_events", ["org_path"], unique=False)
    op.create_index(
        "ix_inbox_events_state_try_after", "inbox_events", ["state", "try_after"], unique=False
    )

    op.create_table(
        "payroll_held_rows",
        sa.Column("id", BIG, nullable=False),
        sa.Column("batch_id", BIG, nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("content_sealed", LONG_TEXT, nullable=False),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("decided_by", BIG, nullable=True),
        sa.Column("org_path", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["payroll_batches.id"],
            name=op.f("fk_payroll_held_rows_batch_id_payroll_batches"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payroll_held_rows")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index(
        op.f("ix_payroll_held_rows_batch_id"), "payroll_held_rows", ["batch_id"], unique=False
    )
    op.create_index(
        op.f("ix_payroll_held_rows_org_path"), "payroll_held_rows", ["org_path"], unique=False
    )

    op.create_table(
        "payslips",
        sa.Column("id", BIG, nullable=False),
        sa.Column("batch_id", BIG, nullable=False),
        sa.Column("employee_id", BIG, nullable=False),
        sa.Column("content_sealed", LONG_TEXT, nullable=False),
        sa.Column("published_at", INSTANT, nullable=True),
        sa.Column("read_at", INSTANT, nullable=True),
        sa.Column("confirmed_at", INSTANT, nullable=True),
        sa.Column("org_path", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["payroll_batches.id"], name=op.f("fk_payslips_batch_id_payroll_batches")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payslips")),
        sa.UniqueConstraint(
            "batch_id", "employee_id", name=op.f("uq_payslips_batch_id_employee_id")
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index(
        "ix_payslips_employee", "payslips", ["employee_id", "published_at"], unique=False
    )
    op.create_index(op.f("ix_payslips_org_path"), "payslips", ["org_path"], unique=False)

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
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index(op.f("ix_pushes_employee_id"), "pushes", ["employee_id"], unique=False)
    op.create_index("ix_pushes_msgid", "pushes", ["channel_account_id", "msgid"], unique=False)
    op.create_index(op.f("ix_pushes_org_path"), "pushes", ["org_path"], unique=False)
    op.create_index("ix_pushes_status_try_after", "pushes", ["status", "try_after"], unique=False)
    op.create_index("ix_pushes_topic_status", "pushes", ["topic", "status"], unique=False)

    op.create_table(
        "employee_bindings",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel_account_id", BIG, nullable=False),
        sa.Column("identity_id", BIG, nullable=False),
        sa.Column("employee_id", BIG, nullable=False),
        sa.Column("bound_at", INSTANT, nullable=False),
        sa.Column("org_path", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_account_id"],
            ["channel_accounts.id"],
            name=op.f("fk_employee_bindings_channel_account_id_channel_accounts"),
        ),
        sa.ForeignKeyConstraint(
            ["employee_id"],
            ["employees.id"],
            name=op.f("fk_employee_bindings_employee_id_employees"),
        ),
        sa.ForeignKeyConstraint(
            ["identity_id"],
            ["identities.id"],
            name=op.f("fk_employee_bindings_identity_id_identities"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employee_bindings")),
        sa.UniqueConstraint(
            "channel_account_id",
            "employee_id",
            name=op.f("uq_employee_bindings_channel_account_id_employee_id"),
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index(
        op.f("ix_employee_bindings_employee_id"), "employee_bindings", ["employee_id"], unique=False
    )
    op.create_index(
        op.f("ix_employee_bindings_identity_id"), "employee_bindings", ["identity_id"], unique=False
    )
    op.create_index(
        op.f("ix_employee_bindings_org_path"), "employee_bindings", ["org_path"], unique=False
    )

    op.create_table(
        "payslip_questions",
        sa.Column("id", BIG, nullable=False),
        sa.Column("payslip_id", BIG, nullable=False),
        sa.Column("employee_id", BIG, nullable=False),
        sa.Column("item", BIG, nullable=True),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("answered_at", INSTANT, nullable=True),
        sa.Column("org_path", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["payslip_id"], ["payslips.id"], name=op.f("fk_payslip_questions_payslip_id_payslips")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payslip_questions")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index(
        op.f("ix_payslip_questions_employee_id"), "payslip_questions", ["employee_id"], unique=False
    )
    op.create_index(
        op.f("ix_payslip_questions_org_path"), "payslip_questions", ["org_path"], unique=False
    )
    op.create_index(
        op.f("ix_payslip_questions_payslip_id"), "payslip_questions", ["payslip_id"], unique=False
    )

    op.create_table(
        "users",
        sa.Column("id", BIG, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("identity_id", BIG, nullable=True),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("invitation_hash", sa.String(length=64), nullable=True),
        sa.Column("invitation_ends_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("org_path", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["identity_id"], ["identities.id"], name=op.f("fk_users_identity_id_identities")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("identity_id", name=op.f("uq_users_identity_id")),
        sa.UniqueConstraint("invitation_hash", name=op.f("uq_users_invitation_hash")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index(op.f("ix_users_org_path"), "users", ["org_path"], unique=False)

    op.create_table(
        "payslip_question_messages",
        sa.Column("id", BIG, nullable=False),
        sa.Column("question_id", BIG, nullable=False),
        sa.Column("author", sa.String(length=40), nullable=False),
        sa.Column("author_id", BIG, nullable=False),
        sa.Column("body_sealed", LONG_TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("org_path", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["question_id"],
            ["payslip_questions.id"],
            name=op.f("fk_payslip_question_messages_question_id_payslip_questions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payslip_question_messages")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index(
        op.f("ix_payslip_question_messages_org_path"),
        "payslip_question_messages",
        ["org_path"],
        unique=False,
    )
    op.create_index(
        op.f("ix_payslip_question_messages_question_id"),
        "payslip_question_messages",
        ["question_id"],
        unique=False,
    )

    op.create_table(
        "user_roles",
        sa.Column("id", BIG, nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_user_roles_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_roles")),
        sa.UniqueConstraint("user_id", "role", name=op.f("uq_user_roles_user_id_role")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )


def downgrade():
    op.drop_table("user_roles")
    op.drop_table("payslip_question_messages")
    op.drop_table("users")
    op.drop_table("payslip_questions")
    op.drop_table("employee_bindings")
    op.drop_table("pushes")
    op.drop_table("payslips")
    op.drop_table("payroll_held_rows")
    op.drop_table("inbox_events")
    op.drop_table("identities")
    op.drop_table("payroll_batches")
    op.drop_table("orgs")
    op.drop_table("employees")
    op.drop_table("data_keys")
    op.drop_table("channel_accounts")
    op.drop_table("audit_events")
