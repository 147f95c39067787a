"""The house itself: doors, owners, jobs, templates, assets, refusals."""

import importlib
import re
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import BigInteger, Float
from sqlalchemy.orm import DeclarativeBase

import domain.models
from core.db import Base
from core.errors import DomainError
from core.queues import Job
from domain.directory.access import OrgOwned

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
PAGES = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))

# Tables that belong to no organisation, and why.
NOBODYS = {
    "data_keys": "wrapped keys of the whole installation",
    "user_roles": "part of a user, read only together with it",
    "pushes": "part of a campaign, read only together with it",
    "push_unreachables": "about an identity, read only together with it",
}


def models() -> list[type[DeclarativeBase]]:
    return [mapper.class_ for mapper in Base.registry.mappers]


# --- doors ----------------------------------------------------------------------------------


def doors(app: Flask) -> set[str]:
    """What ``core.web.door`` has hung up in ``app.open_doors``."""
    return {name for name, bp in app.blueprints.items() if bp.import_name == "core.web"}


def test_every_endpoint_hangs_behind_a_named_door(app):
    loose = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static" and rule.endpoint.split(".")[0] not in doors(app)
    }

    assert loose == set()


def test_every_door_has_a_guard_and_a_way_to_refuse(app):
    assert len(doors(app)) > 5
    for door in doors(app):
        assert app.before_request_funcs.get(door), door
        assert DomainError in app.error_handler_spec[door][None], door


def test_only_forms_and_callbacks_change_anything(app):
    for rule in app.url_map.iter_rules():
        assert (rule.methods or set()) <= {"GET", "HEAD", "OPTIONS", "POST"}, rule


def test_only_callbacks_come_without_a_csrf_token(app):
    exempt = app.extensions["csrf"]
    views = exempt._exempt_views - {
        f"channel.{one}.callback.receive" for one in ("wechat", "wecom")
    }
    rooms = {name for name in exempt._exempt_blueprints if not name.startswith("callback")}

    assert views == set()
    assert rooms == set()


# --- tables ---------------------------------------------------------------------------------


def test_every_table_has_an_owner_or_a_reason_to_have_none():
    ownerless = {model.__table__.name for model in models() if not issubclass(model, OrgOwned)}

    assert ownerless == set(NOBODYS)


def test_every_model_is_known_to_the_migrations():
    listed = {getattr(domain.models, name) for name in domain.models.__all__}

    assert listed == {model for model in models() if model.__module__.startswith("domain.")}


def test_money_is_whole_fen():
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if column.name.endswith("_fen"):
                assert isinstance(column.type, BigInteger), column
            assert not isinstance(column.type, Float), column


# --- jobs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("job", Job)
def test_every_job_resolves(job):
    module, _, name = job.value.rpartition(".")

    assert callable(getattr(importlib.import_module(module), name))


# --- refusals -------------------------------------------------------------------------------


def refusals() -> list[type[DomainError]]:
    found = [DomainError]
    for one in found:
        found += one.__subclasses__()
    return [one for one in found if not one.__module__.startswith("tests.")]


def test_every_refusal_speaks_chinese_and_has_its_own_code(app):
    codes: dict[str, type[DomainError]] = {}
    for one in refusals():
        written = re.fullmatch(r"\{\w+\}", one.message)  # the raiser brings the sentence
        assert written or re.search("[\u4e00-\u9fff]", one.message), one
        assert 400 <= one.status < 600, one
        assert codes.setdefault(one.code, one) is one, one


# --- templates and assets -------------------------------------------------------------------


def test_there_are_templates():
    assert len(PAGES) > 20


@pytest.mark.parametrize("page", PAGES)
def test_every_template_loads(app, page):
    app.jinja_env.get_template(page)


INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son(?!ly=)[a-z]+=|javascript:|hx-on|hx-vals=.?js:",
    re.IGNORECASE,
)


@pytest.mark.parametrize("page", PAGES)
def test_no_template_holds_a_script_or_a_style(page):
    text = re.sub(r"\{#.*?#\}", "", (TEMPLATES / page).read_text(), flags=re.DOTALL)

    assert INLINE.findall(text) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_asset_that_a_template_names_exists(page):
    for path in re.findall(r"""asset\(\s*["']([^"']+)["']""", (TEMPLATES / page).read_text()):
        assert (ROOT / "static" / path).is_file(), path


@pytest.mark.parametrize("page", PAGES)
def test_every_form_that_changes_something_carries_a_token(page):
    text = (TEMPLATES / page).read_text()
    for form in re.findall(r"<form\b.*?</form>", text, re.DOTALL | re.IGNORECASE):
        if re.search(r"""method=["']post""", form, re.IGNORECASE):
            assert "csrf" in form, form[:200]


def rendered_names() -> set[str]:
    """Templates that the code names: ``page("…html")``, ``render_template("…html")``."""
    names: set[str] = set()
    for room in ("core", "channel", "workers"):
        for path in (ROOT / room).rglob("*.py"):
            names |= set(re.findall(r"""["']([a-z_/]+\.(?:html|xml|txt))["']""", path.read_text()))
    return names


def test_every_template_that_the_code_names_exists():
    missing = {name for name in rendered_names() if not (TEMPLATES / name).is_file()}

    assert missing == set()
