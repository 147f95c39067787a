"""Organisations, users and the invitation that binds a user to their WeChat once."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select

from core.errors import Forbidden
from domain.audit.models import AuditEvent
from domain.directory import queries, service
from domain.directory.access import ROLE_PERMISSIONS, Actor, Permission, Role
from domain.directory.errors import InvitationRefused, OrgPathTaken, OrgUnknown, UserUnknown
from domain.directory.models import Org, OrgKind, User
from tests.factories import (
    make_channel_account,
    make_hr,
    make_identity,
    make_operator,
    make_org,
    make_user,
)

NOON = datetime(2026, 4, 5, 4, 0, tzinfo=UTC)


def paths(session):
    return set(session.scalars(select(Org.org_path)))


# --- organisations --------------------------------------------------------------------------


def test_a_tree_grows_from_its_root(session):
    system = Actor.system()

    service.add_org(system, "/", "hq", OrgKind.UNION, "总行")
    service.add_org(system, "/hq/", "bj", OrgKind.BANK, "北京分行")

    assert queries.find_org("/hq/bj/") == queries.OrgRow("/hq/bj/", OrgKind.BANK, "北京分行")
    assert queries.root_org().org_path == "/hq/"


def test_a_new_organisation_is_written_to_the_audit_trail(session):
    org = service.add_org(Actor.system(), "/", "hq", OrgKind.UNION, "总行")

    event = session.scalars(select(AuditEvent)).one()
    assert (event.action, event.subject_id) == ("directory.org.added", org.id)


def test_a_path_is_given_once(session):
    make_org("/hq/bj/")

    with pytest.raises(OrgPathTaken, match="/hq/bj/"):
        service.add_org(Actor.system(), "/hq/", "bj", OrgKind.BANK, "又一个")


def test_an_organisation_needs_a_parent_that_exists(session):
    with pytest.raises(OrgUnknown):
        service.add_org(Actor.system(), "/nowhere/", "bj", OrgKind.BANK, "北京分行")


@pytest.mark.parametrize("slug", ["", "../x", "B", "a/b", "%"])
def test_a_path_is_made_of_plain_slugs(session, slug):
    with pytest.raises(OrgUnknown):
        service.add_org(Actor.system(), "/", slug, OrgKind.UNION, "总行")

    assert paths(session) == set()


@pytest.mark.parametrize("parent", ["/", "/other/", "/hq2/"])
def test_an_operator_builds_only_below_their_own_organisation(session, parent):
    make_org("/other/")
    make_org("/hq2/")
    operator = make_operator("/hq/")

    with pytest.raises(OrgUnknown):
        service.add_org(operator, parent, "new", OrgKind.ENTERPRISE, "新企业")

    service.add_org(operator, "/hq/", "new", OrgKind.ENTERPRISE, "新企业")
    assert paths(session) == {"/other/", "/hq2/", "/hq/", "/hq/new/"}


def test_hr_cannot_add_organisations(session):
    with pytest.raises(Forbidden):
        service.add_org(make_hr(), "/hq/", "new", OrgKind.ENTERPRISE, "新企业")


def test_the_list_of_organisations_is_the_actors_branch(session):
    make_org("/hq/bj/ent-1/")
    make_org("/other/")

    rows = queries.list_orgs(make_operator("/hq/bj/"))

    assert [row.org_path for row in rows] == ["/hq/bj/", "/hq/bj/ent-1/"]


def test_the_line_of_an_organisation_runs_from_the_top_down(session):
    make_org("/hq/bj/ent-1/")
    make_org("/hq/bj/ent-2/")

    line = queries.line_of_orgs("/hq/bj/ent-1/")

    assert [row.org_path for row in line] == ["/hq/", "/hq/bj/", "/hq/bj/ent-1/"]


def test_an_empty_house_has_no_root(session):
    with pytest.raises(OrgUnknown):
        queries.root_org()


def test_an_unknown_path_finds_nothing(session):
    assert queries.find_org("/hq/") is None
    assert queries.name_of_org(session, "/hq/") == ""


def test_an_organisation_is_known_by_its_name(session):
    make_org("/hq/", name="总行")

    assert queries.name_of_org(session, "/hq/") == "总行"


# --- users ----------------------------------------------------------------------------------


@pytest.fixture
def wechat(session):
    return make_identity(make_channel_account("/hq/"))


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def invite(org_path="/hq/bj/ent-1/", roles=(Role.HR,)):
    make_org(org_path)
    return service.add_user(make_operator("/hq/"), org_path, "周敏", roles)


def test_an_invited_user_may_do_what_their_roles_say(session, wechat):
    user, code = invite(roles=[Role.HR, Role.FINANCE, Role.HR])

    service.accept_invitation(wechat.id, code)

    actor = queries.find_user_actor(wechat.id)
    assert (actor.id, actor.org_path, actor.name) == (user.id, "/hq/bj/ent-1/", "周敏")
    assert actor.permissions == ROLE_PERMISSIONS[Role.HR] | ROLE_PERMISSIONS[Role.FINANCE]


def test_the_code_itself_is_not_stored(session):
    user, code = invite()

    assert code not in str({name: str(value) for name, value in vars(user).items()})


def test_an_invitation_works_once(session, wechat):
    _, code = invite()
    other = make_identity(make_channel_account("/hq/"))
    service.accept_invitation(wechat.id, code)

    with pytest.raises(InvitationRefused):
        service.accept_invitation(other.id, code)

    assert queries.find_user_actor(other.id) is None


def test_two_wechats_at_the_same_moment_share_no_invitation(committed, together):
    _, code = invite()
    account = make_channel_account("/hq/")
    wechats = [make_identity(account).id for _ in range(2)]

    results = together(*[lambda one=one: service.accept_invitation(one, code) for one in wechats])

    assert sorted(type(result).__name__ for result in results) == ["InvitationRefused", "User"]


def test_an_invitation_ends_after_a_week(session, wechat, clock):
    _, code = invite()
    clock.shift(service.INVITATION_LIFE)

    with pytest.raises(InvitationRefused):
        service.accept_invitation(wechat.id, code)


def test_an_invitation_holds_to_its_last_moment(session, wechat, clock):
    _, code = invite()
    clock.shift(service.INVITATION_LIFE - timedelta(seconds=1))

    service.accept_invitation(wechat.id, code)

    assert queries.find_user_actor(wechat.id)


def test_an_unknown_code_is_refused(session, wechat):
    invite()

    with pytest.raises(InvitationRefused):
        service.accept_invitation(wechat.id, "guess")


def test_one_wechat_is_one_user(session, wechat):
    (_, first), (_, second) = invite(), invite("/hq/bj/ent-2/")
    service.accept_invitation(wechat.id, first)

    with pytest.raises(InvitationRefused):
        service.accept_invitation(wechat.id, second)

    assert queries.find_user_actor(wechat.id).org_path == "/hq/bj/ent-1/"


def test_a_disabled_user_is_nobody(session, wechat):
    user, code = invite()
    service.accept_invitation(wechat.id, code)
    disable(user)

    assert queries.find_user_actor(wechat.id) is None
    assert queries.find_enabled_user(user.id) is None
    with pytest.raises(UserUnknown):
        service.note_user_sign_in(user.id)


def disable(user):
    from core.db import transaction

    with transaction() as session:
        session.get_one(User, user.id).is_enabled = False


def test_an_operator_invites_only_into_their_own_branch(session):
    make_org("/other/")

    with pytest.raises(OrgUnknown):
        service.add_user(make_operator("/hq/"), "/other/", "周敏", [Role.HR])


def test_hr_cannot_invite(session):
    hr = make_hr()

    with pytest.raises(Forbidden):
        service.add_user(hr, hr.org_path, "周敏", [Role.HR])


def test_a_user_without_roles_may_nothing(session):
    user = make_user("/hq/")

    actor = queries.find_enabled_user(user.id)

    assert not any(actor.may(permission) for permission in Permission)


def test_a_sign_in_is_written_to_the_audit_trail(session):
    hr = make_hr()

    service.note_user_sign_in(hr.id)

    event = session.scalars(select(AuditEvent)).one()
    assert (event.action, event.actor_id) == ("directory.user.signed_in", hr.id)


def test_nobody_unknown_signs_in(session):
    assert queries.find_user_actor(4711) is None
    with pytest.raises(UserUnknown):
        service.note_user_sign_in(4711)
