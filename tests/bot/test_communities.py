"""What communities want: from the settings file, and from themselves. On real SQLite files."""

from types import SimpleNamespace
from typing import Any

import pytest

from bot.communities import OPERATOR, Community, discord_account, read_community, register_communities
from bot.moderators import is_moderator, language_for, may_manage
from bot.policy import View
from bot.store import Store
from config.settings import CommunitySettings
from detectors.records import Account
from tests.bot.samples import CLOCKS, WATCH, tables

MEMBER = Account("discord", "discord", "5")


def in_file(guild: int = 77, **more: Any) -> CommunitySettings:
    return CommunitySettings.model_validate({"guild": guild, **more})


async def own(store: Store, **row: Any) -> None:
    """What a community set itself."""
    values = {"community": "77", "ping_from": 0.9, "sensitivity": "high", "source": "community", **row}
    await store.run(lambda database: database.table("communities").insert(values))


async def dump(store: Store, *names: str) -> dict[str, list[dict[str, Any]]]:
    found = await store.run(lambda database: tables(database, CLOCKS))
    return {name: found[name] for name in names}


async def test_who_said_nothing_gets_the_defaults(store: Store) -> None:
    assert await read_community(store, "77") == Community(
        "77", None, None, None, 0.95, None, "normal", source="community"
    )


async def test_what_the_file_says_is_read_back(store: Store) -> None:
    listed = in_file(moderator_role=1, ping_role=2, ping_from=0.97, language="fr")
    await register_communities(store, [listed, in_file(78)])
    assert await read_community(store, "77") == Community("77", None, "1", "2", 0.97, "fr", "normal", "file")
    assert await read_community(store, "78") == Community("78", source="file")


async def test_communities_of_the_file_come_and_go_with_it(store: Store) -> None:
    await register_communities(store, [in_file(moderator_role=1), in_file(78, language="fr")])
    await register_communities(store, [in_file(ping_role=2)])
    assert await read_community(store, "77") == Community("77", ping_role="2", source="file")
    assert await read_community(store, "78") == Community("78")
    await register_communities(store, [])
    assert await dump(store, "communities") == {"communities": []}


async def test_what_a_community_set_itself_stays_and_the_file_fills_what_it_left_open(store: Store) -> None:
    await own(store, channel="discord:9", moderator_role="5", language="fr")
    await register_communities(store, [in_file()])
    unchanged = Community("77", "discord:9", "5", None, 0.9, "fr", "high", "community")
    assert await read_community(store, "77") == unchanged
    await register_communities(store, [in_file(ping_role=2, language="en")])
    assert await read_community(store, "77") == Community("77", "discord:9", "5", "2", 0.9, "fr", "high", "community")
    await register_communities(store, [])
    assert (await read_community(store, "77")).channel == "discord:9"


async def exempt(store: Store, community: str = "77") -> frozenset[Account]:
    watch = WATCH.__class__(community, WATCH.room)
    view = await store.view(watch, "show-1", [MEMBER, discord_account(6)], 90.0)
    assert view == View(exempt=view.exempt)
    return view.exempt


async def test_members_that_the_file_exempts_are_exempt_there_and_it_is_logged_once(store: Store) -> None:
    for _ in range(2):
        await register_communities(store, [in_file(exempt=[5])])
    assert (await exempt(store), await exempt(store, "78")) == (frozenset({MEMBER}), frozenset())
    entry = {"community": "77", "actor": OPERATOR, "action": "allow", "subject": str(MEMBER), "details": "{}"}
    assert await dump(store, "exemptions", "audit") == {
        "exemptions": [{"community": "77", "account": str(MEMBER), "by": OPERATOR}],
        "audit": [{"id": 1, **entry}],
    }


async def test_exemptions_of_the_file_go_with_it_and_those_of_moderators_stay(store: Store) -> None:
    by_moderator = {"community": "77", "account": str(discord_account(6)), "by": "discord:discord:1", "since": "2026"}
    await store.run(lambda database: database.table("exemptions").insert(by_moderator))
    await register_communities(store, [in_file(exempt=[5, 6])])
    assert await exempt(store) == {MEMBER, discord_account(6)}
    await register_communities(store, [in_file()])
    assert await exempt(store) == {discord_account(6)}
    await register_communities(store, [])
    assert await exempt(store) == {discord_account(6)}
    found = await dump(store, "audit")
    assert [(row["action"], row["subject"]) for row in found["audit"]] == [
        ("allow", str(MEMBER)),
        ("disallow", str(MEMBER)),
    ]


def click(*, roles: tuple[int, ...] = (), guild: int | None = 77, locale: str = "en-US", **may: bool) -> Any:
    """A click by a member with these roles and permissions."""
    names = ("manage_guild", "administrator", "manage_messages")
    return SimpleNamespace(
        # What one may do in the channel, of which nothing follows for the server.
        permissions=SimpleNamespace(**dict.fromkeys(names, True)),
        user=SimpleNamespace(
            roles=[SimpleNamespace(id=role) for role in roles],
            guild_permissions=SimpleNamespace(**{name: may.get(name, False) for name in names}),
        ),
        guild_id=guild,
        guild_locale=locale if guild else None,
        locale=locale,
    )


@pytest.mark.parametrize(
    ("clicked", "without_role", "with_role"),
    [
        (click(), False, False),
        (click(roles=(5,)), False, True),
        (click(roles=(4, 55)), False, False),
        (click(manage_messages=True), True, False),
        (click(manage_guild=True), True, True),
        (click(administrator=True), True, True),
    ],
)
def test_who_may_review(clicked: Any, without_role: bool, with_role: bool) -> None:
    assert is_moderator(clicked, Community("77")) is without_role
    assert is_moderator(clicked, Community("77", moderator_role="5")) is with_role


def test_a_user_outside_the_server_has_no_roles() -> None:
    clicked = click()
    del clicked.user.roles, clicked.user.guild_permissions
    assert not is_moderator(clicked, Community("77", moderator_role="5"))
    assert not is_moderator(clicked, Community("77"))
    assert not may_manage(clicked)


def test_who_may_change_settings() -> None:
    assert not may_manage(click(manage_messages=True))
    assert may_manage(click(manage_guild=True))
    assert may_manage(click(administrator=True))


@pytest.mark.parametrize(
    ("clicked", "chosen", "expected"),
    [
        (click(locale="fr"), None, "fr"),
        (click(locale="en-GB"), None, "en"),
        (click(locale="de"), None, "en"),
        (click(locale="fr"), "en", "en"),
        (click(locale="en-US"), "fr", "fr"),
        (click(locale="fr", guild=None), "en", "fr"),
    ],
)
async def test_the_language_of_answers(store: Store, clicked: Any, chosen: str | None, expected: str) -> None:
    await own(store, language=chosen)
    assert await language_for(clicked, store) == expected
