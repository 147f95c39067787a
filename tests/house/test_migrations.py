"""Migrations bring an empty database to what the models say, and back."""

import subprocess
import sys

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

import app as house
from core.db import db
from core.security import init_security, seal, unseal
from domain.directory.channel_accounts import templates_of
from tests.conftest import new_database


@pytest.fixture
def new_app(settings, worker_number, tmp_path):
    """The application on an empty database."""
    with new_database(f"xinqiao_migrations_{worker_number}", tmp_path) as url:
        app = house.create_app(settings.model_copy(update={"database_url": url}))
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()
    init_security(settings)


def tables():
    return set(inspect(db.engine).get_table_names())


def test_an_upgrade_from_nothing_equals_the_models(new_app):
    flask_migrate.upgrade()

    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, db.metadata) == []
    assert tables() == set(db.metadata.tables) | {"alembic_version"}


def test_after_an_upgrade_fields_can_be_sealed(new_app):
    flask_migrate.upgrade()

    assert unseal("test", seal("test", "13800000001")) == "13800000001"


def test_an_upgrade_may_run_twice_and_keeps_the_keys(new_app):
    flask_migrate.upgrade()
    sealed = seal("test", "13800000001")

    flask_migrate.upgrade()

    init_security(new_app.config["SETTINGS"])
    assert unseal("test", sealed) == "13800000001"


def test_every_step_can_be_taken_back(new_app):
    flask_migrate.upgrade()

    flask_migrate.downgrade(revision="base")

    assert tables() <= {"alembic_version"}
    flask_migrate.upgrade()
    assert set(db.metadata.tables) <= tables()


def test_templates_that_were_known_before_the_registry_are_still_used(new_app):
    flask_migrate.upgrade(revision="0005")
    with db.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO channel_accounts (id, org_path, kind, name, title, appid, mode,"
                " secret_sealed, token_sealed, aes_key_sealed, templates, hands_over, is_enabled,"
                " created_at) VALUES (7, '/hq/', 'official-account', 'oa', '公众号', 'wx1', 'safe',"
                " '', '', '', :templates, :off, :on, '2026-03-28 01:00:00')"
            ),
            {"templates": '{"payslip_ready": "tm-1"}', "off": False, "on": True},
        )

    flask_migrate.upgrade()

    assert templates_of(7) == {"payslip_ready": "tm-1"}


def test_the_command_prepares_a_new_machine(settings, monkeypatch, tmp_path):
    folder = tmp_path / "not there yet"
    monkeypatch.setenv("XINQIAO_DATA_DIR", str(folder))
    monkeypatch.delenv("XINQIAO_DATABASE_URL")

    subprocess.run([sys.executable, "-m", "app", "db", "upgrade"], check=True, capture_output=True)

    assert (folder / "xinqiao.db").exists()
