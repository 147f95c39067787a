"""Whose rows: everybody sees their own branch of the tree and nothing beside it."""

import pytest
from sqlalchemy import select

from core.errors import Forbidden
from domain.directory.access import (
    ROLE_PERMISSIONS,
    Actor,
    ActorKind,
    EnterpriseOwned,
    Permission,
    Role,
)
from domain.directory.models import Org
from domain.directory.queries import find_signed_in_identity
from tests.factories import make_binding, make_channel_account, make_employee, make_hr, make_org

PATHS = ("/hq/", "/hq/b/", "/hq/b/ent-1/", "/hq/b2/", "/hq/b_/", "/hq/bx/", "/hq/%/", "/other/b/")


def seen_by(session, actor):
    return set(session.scalars(select(Org.org_path).where(Org.visible_to(actor))))


def actor_at(path):
    return Actor(ActorKind.USER, 1, path)


@pytest.mark.parametrize(
    ("at", "seen"),
    [
        ("/hq/b/", {"/hq/b/", "/hq/b/ent-1/"}),
        ("/hq/b2/", {"/hq/b2/"}),
        ("/hq/b/ent-1/", {"/hq/b/ent-1/"}),
        ("/hq/b_/", {"/hq/b_/"}),
        ("/hq/%/", {"/hq/%/"}),
        ("/HQ/B/", set()),
        ("/nowhere/", set()),
    ],
)
def test_an_actor_sees_their_branch_and_nothing_beside_it(session, at, seen):
    for path in PATHS:
        make_org(path)

    assert seen_by(session, actor_at(at)) == seen


def test_the_system_sees_the_whole_tree(session):
    for path in PATHS:
        make_org(path)

    assert seen_by(session, Actor.system()) == {*PATHS, "/other/"}


def test_an_employee_sees_no_organisations_rows(session):
    account, employee = make_channel_account(), make_employee()
    identity = make_binding(employee, account)

    actor = find_signed_in_identity(identity.id, account.id, 0)

    assert actor.employee_ids == (employee.id,)
    assert seen_by(session, actor) == set()


@pytest.mark.parametrize(
    ("at", "seen"),
    [("/hq/b/ent-1/", True), ("/hq/b/", False), ("/", False), ("", False)],
)
def test_rows_of_an_enterprise_are_its_own_even_below_its_bank(session, at, seen):
    class Payroll(EnterpriseOwned):
        org_path = Org.org_path

    make_org("/hq/b/ent-1/")

    query = select(Org.id).where(Org.org_path == "/hq/b/ent-1/", Payroll.visible_to(actor_at(at)))
    assert bool(session.scalar(query)) is seen


def test_nobody_may_what_their_roles_do_not_say(session):
    hr = make_hr()

    hr.require(Permission.PAYROLL_PUBLISH)
    with pytest.raises(Forbidden):
        hr.require(Permission.USERS_WRITE)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.HR])
def test_no_role_but_hr_may_read_payslips_or_the_roster(role):
    assert not ROLE_PERMISSIONS[role] & {
        Permission.PAYROLL_READ,
        Permission.PAYROLL_UPLOAD,
        Permission.PAYROLL_PUBLISH,
        Permission.PAYROLL_ANSWER,
        Permission.ROSTER_READ,
        Permission.ROSTER_WRITE,
    }


def test_an_actors_name_does_not_print():
    assert "周敏" not in repr(Actor(ActorKind.USER, 1, "/hq/", name="周敏"))
