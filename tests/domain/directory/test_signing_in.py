"""Who is signed in, through which account, and what ends it at once."""

import pytest
from sqlalchemy import select

from core.errors import Forbidden, NotFound
from domain.audit.models import AuditEvent
from domain.directory import queries, service
from domain.directory.access import ROLE_PERMISSIONS, Actor, ActorKind, Role
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import (
    find_wecom_app_for,
    set_account_enabled,
    sole_wecom_app,
    title_of,
)
from domain.directory.errors import AccountNotNamed, InvitationRefused, NoAccountYet
from domain.directory.models import Identity, User
from tests.factories import (
    make_binding,
    make_channel_account,
    make_employee,
    make_hr,
    make_identity,
    make_operator,
    make_org,
    make_user,
)


def make_app(org_path="/hq/", **fields):
    fields = {"agentid": "1000002", "appid": "ww1"} | fields
    return make_channel_account(org_path, kind=ChannelKind.WECOM_APP, **fields)


@pytest.fixture
def oa(session):
    return make_channel_account("/hq/")


@pytest.fixture
def wecom_app(session):
    return make_app()


def epoch_of(session, model, row_id):
    return session.scalar(select(model.session_epoch).where(model.id == row_id))


def actions(session):
    return list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))


# --- identities -----------------------------------------------------------------------------


def test_a_wecom_apps_people_are_members_and_see_no_organisations_rows(session, wecom_app):
    member = make_identity(wecom_app, openid="zhangsan")

    actor = queries.find_signed_in_identity(member.id, wecom_app.id, 0)

    assert (actor.kind, actor.id, actor.channel_account_id) == (
        ActorKind.MEMBER,
        member.id,
        wecom_app.id,
    )
    assert (actor.org_path, actor.permissions, actor.employee_ids) == ("", frozenset(), ())


def test_an_official_accounts_people_are_employees_bound_or_not(session, oa):
    stranger, employee = make_identity(oa), make_employee()
    bound = make_binding(employee, oa)

    assert queries.find_signed_in_identity(stranger.id, oa.id, 0).employee_ids == ()
    actor = queries.find_signed_in_identity(bound.id, oa.id, 0)
    assert (actor.kind, actor.employee_ids) == (ActorKind.EMPLOYEE, (employee.id,))


def test_nobody_is_signed_in_through_an_account_that_is_disabled_or_not_theirs(session, oa):
    identity, other = make_identity(oa), make_channel_account("/hq/")

    assert queries.find_signed_in_identity(identity.id, other.id, 0) is None
    assert queries.find_signed_in_identity(4711, oa.id, 0) is None

    set_account_enabled(Actor.system(), oa.name, is_enabled=False)
    assert queries.find_signed_in_identity(identity.id, oa.id, 0) is None


def test_sessions_of_an_identity_end_everywhere_at_once(session, oa):
    identity, neighbour = make_identity(oa), make_identity(oa)
    actor = queries.find_signed_in_identity(identity.id, oa.id, 0)

    service.sign_out_everywhere(actor)

    assert queries.find_signed_in_identity(identity.id, oa.id, 0) is None
    now = queries.epoch_of_identity(identity.id)
    assert queries.find_signed_in_identity(identity.id, oa.id, now)
    assert queries.find_signed_in_identity(neighbour.id, oa.id, 0)
    assert actions(session) == ["directory.signin.ended_everywhere"]
    assert epoch_of(session, Identity, identity.id) == 1


@pytest.fixture
def one_person(session, oa, wecom_app):
    """At the desk, in WeChat, and in two apps of one corp; ``ends`` tells whose epochs rose."""
    desk = make_hr()
    wechat, member = make_identity(oa), make_identity(wecom_app, openid="zhoumin")
    second = make_identity(make_app(agentid="1000003"), openid="zhoumin")
    for identity in (wechat, member):
        service.accept_invitation(identity.id, service.invite_again(make_operator(), desk.id))
    rows = {"desk": (User, desk.id)}
    rows |= {
        name: (Identity, identity.id)
        for name, identity in {"wechat": wechat, "member": member, "second": second}.items()
    }
    before = {name: epoch_of(session, *row) for name, row in rows.items()}

    def ended():
        return {name for name, row in rows.items() if epoch_of(session, *row) == before[name] + 1}

    return rows, ended


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("desk", ActorKind.USER),
        ("wechat", ActorKind.EMPLOYEE),
        ("member", ActorKind.MEMBER),
        ("second", ActorKind.MEMBER),
    ],
)
def test_whoever_signs_out_everywhere_is_out_at_every_door(session, one_person, place, kind):
    rows, ended = one_person

    service.sign_out_everywhere(Actor(kind, rows[place][1], ""))

    assert ended() == {"desk", "wechat", "member", "second"}
    [event] = session.scalars(
        select(AuditEvent).where(AuditEvent.action == "directory.signin.ended_everywhere")
    )
    assert event.subject_id == rows[place][1]


def test_who_is_called_alike_elsewhere_stays_signed_in(session, one_person, oa, wecom_app):
    rows, _ = one_person
    colleague = make_hr()
    others = [
        make_identity(wecom_app, openid="lilei"),
        make_identity(make_app(appid="ww2"), openid="zhoumin"),
        make_identity(make_channel_account(appid="ww1"), openid="zhoumin"),
    ]

    service.sign_out_everywhere(Actor(ActorKind.MEMBER, rows["member"][1], ""))

    assert [epoch_of(session, Identity, other.id) for other in others] == [0, 0, 0]
    assert epoch_of(session, User, colleague.id) == 0


def test_an_unknown_identity_has_no_sessions_to_end(session, oa):
    with pytest.raises(NotFound):
        service.sign_out_everywhere(Actor(ActorKind.EMPLOYEE, 4711, ""))

    assert queries.epoch_of_identity(4711) == 0
    assert queries.account_of_identity(make_identity(oa).id) == oa.id


# --- users ----------------------------------------------------------------------------------


def signed_in(user, account, epoch=0):
    return queries.find_signed_in_user(user.id, account.id, epoch)


def test_a_users_sessions_end_everywhere_at_once(session, oa):
    hr, colleague = make_hr(), make_hr()

    service.sign_out_everywhere(hr)

    assert signed_in(hr, oa) is None
    assert signed_in(hr, oa, epoch=service.note_user_sign_in(hr.id)).name == "周敏"
    assert signed_in(colleague, oa)
    assert epoch_of(session, User, hr.id) == 1


def test_a_users_session_is_over_with_the_account_it_came_through(session, oa, wecom_app):
    hr = make_hr()
    assert signed_in(hr, oa)

    set_account_enabled(Actor.system(), oa.name, is_enabled=False)

    assert signed_in(hr, oa) is None
    assert queries.find_signed_in_user(hr.id, 4711, 0) is None
    assert signed_in(hr, wecom_app)


def test_a_disabled_user_is_out_and_signs_in_anew_when_enabled_again(session, oa):
    hr, operator = make_hr(), make_operator()

    service.set_user_enabled(operator, hr.id, is_enabled=False)
    assert signed_in(hr, oa) is None

    service.set_user_enabled(operator, hr.id, is_enabled=True)
    assert signed_in(hr, oa) is None
    assert signed_in(hr, oa, epoch=service.note_user_sign_in(hr.id))
    assert actions(session)[:2] == ["directory.user.disabled", "directory.user.enabled"]


def test_other_roles_count_from_the_next_sign_in(session, oa):
    hr = make_hr()

    service.set_user_roles(make_operator(), hr.id, [Role.AUDITOR, Role.AUDITOR])

    assert signed_in(hr, oa) is None
    assert signed_in(hr, oa, epoch=1).permissions == ROLE_PERMISSIONS[Role.AUDITOR]
    [event] = session.scalars(select(AuditEvent))
    assert (event.action, event.details) == ("directory.user.roles_set", {"roles": 1})


@pytest.mark.parametrize(
    "change",
    [
        lambda actor, user_id: service.set_user_enabled(actor, user_id, is_enabled=False),
        lambda actor, user_id: service.set_user_roles(actor, user_id, [Role.HR]),
        service.invite_again,
    ],
)
def test_users_are_changed_only_by_operators_above_them(session, oa, change):
    hr = make_hr("/hq/bj/ent-1/")
    make_org("/other/")

    with pytest.raises(Forbidden):
        change(hr, hr.id)
    with pytest.raises(NotFound):
        change(make_operator("/other/"), hr.id)

    assert signed_in(hr, oa)


def test_an_operator_lists_the_users_of_their_branch(session):
    make_org("/other/")
    hr, auditor = make_hr("/hq/bj/ent-1/"), make_user("/hq/", Role.HR, Role.AUDITOR, name="吴强")
    operator = make_operator("/hq/")

    rows = queries.list_users(operator)

    assert [(row.id, row.name, row.roles, row.is_enabled) for row in rows] == [
        (hr.id, "周敏", (Role.HR,), True),
        (auditor.id, "吴强", (Role.AUDITOR, Role.HR), True),
        (operator.id, "吴强", (Role.BANK_OPERATIONS,), True),
    ]
    assert queries.get_user(operator, hr.id).org_path == "/hq/bj/ent-1/"
    with pytest.raises(NotFound):
        queries.get_user(make_operator("/other/"), hr.id)
    with pytest.raises(Forbidden):
        queries.list_users(hr)


# --- one identity a platform ----------------------------------------------------------------


def invited(code, identity):
    return service.accept_invitation(identity.id, code)


@pytest.fixture
def user(session, oa):
    """Somebody who signs in with WeChat: the user and that WeChat."""
    make_org("/hq/bj/ent-1/")
    found, code = service.add_user(make_operator(), "/hq/bj/ent-1/", "周敏", [Role.HR])
    wechat = make_identity(oa)
    invited(code, wechat)
    return found, wechat


def test_a_user_signs_in_with_wechat_and_with_wecom(session, user, wecom_app):
    found, wechat = user
    member = make_identity(wecom_app, openid="zhoumin")

    invited(service.invite_again(make_operator(), found.id), member)

    assert queries.find_user_actor(member.id).id == found.id
    assert queries.find_user_actor(wechat.id).id == found.id


def test_another_wechat_takes_the_place_of_the_one_before_and_ends_its_sessions(session, user, oa):
    found, lost = user
    before = service.note_user_sign_in(found.id)
    new = make_identity(oa)

    invited(service.invite_again(make_operator(), found.id), new)

    assert queries.find_user_actor(lost.id) is None
    assert queries.find_user_actor(new.id).id == found.id
    assert signed_in(found, oa, epoch=before) is None


def test_one_wecom_member_is_one_user(session, user, wecom_app):
    member = make_identity(wecom_app, openid="zhoumin")
    operator = make_operator()
    invited(service.invite_again(operator, user[0].id), member)
    other = make_hr()

    with pytest.raises(InvitationRefused):
        invited(service.invite_again(operator, other.id), member)

    assert queries.find_user_actor(member.id).id == user[0].id


def test_a_new_invitation_takes_the_place_of_the_one_before(session, user, wecom_app):
    operator, member = make_operator(), make_identity(wecom_app)
    first = service.invite_again(operator, user[0].id)
    service.invite_again(operator, user[0].id)

    with pytest.raises(InvitationRefused):
        invited(first, member)


# --- which WeCom app ------------------------------------------------------------------------


def test_the_only_wecom_app_needs_no_name(session, oa):
    with pytest.raises(NoAccountYet):
        sole_wecom_app()
    app = make_app()
    assert sole_wecom_app().id == app.id

    make_app("/hq/bj/")
    with pytest.raises(AccountNotNamed):
        sole_wecom_app()


def test_an_organisation_is_served_by_the_nearest_wecom_app(session, oa):
    assert find_wecom_app_for("/hq/bj/") is None
    union, bank = make_app("/hq/"), make_app("/hq/bj/")

    assert find_wecom_app_for("/hq/bj/ent-1/").id == bank.id
    assert find_wecom_app_for("/hq/sh/").id == union.id


def test_an_account_is_called_by_its_title(session, oa):
    assert title_of(oa.id) == "测试公众号"
    assert title_of(4711) == ""
