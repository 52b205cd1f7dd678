"""What Discord shows of a warning: whole messages, the limits for every input, and text that can do nothing."""

import re
from dataclasses import replace
from typing import Any

import pytest

from bot import answers
from bot.markdown import moment, person, plain
from bot.messages import (
    AMBER,
    BLUE,
    GREY,
    RED_ORANGE,
    TIMELINE,
    Button,
    Choice,
    Layout,
    Menu,
    Picture,
    Row,
    Rule,
    Words,
    alert_layout,
    certainty,
    percent,
    why_text,
)
from bot.parcels import DecisionRow, NoteRow, Parcel, QuoteRow
from detectors.records import Message, PhaseSpan
from detectors.taxonomy import CUES

ALERT = "0123456789abcdef"
RAISED = "2026-10-03T19:25:30+00:00"
MODERATOR = "discord:discord:42"


def quote(number: int, text: str = "the ebook is out", **changes: Any) -> QuoteRow:
    at = 60.0 * number
    return replace(QuoteRow(at, at + 5.0, "@host", "speech", text, f"show-1/m{number}", 2, 0.91), **changes)


def parcel(**changes: Any) -> Parcel:
    made = Parcel(
        alert=ALERT,
        version=1,
        first=True,
        channel="discord:5",
        reference=None,
        show="show-1",
        show_title="A *show*",
        room="discord:11/22",
        account="janus:here:7",
        name="@host",
        at=66.0,
        since=60.0,
        last_at=66.0,
        score=0.87,
        offers=("ebook",),
        cues=tuple(cue for cue in CUES if cue not in ("link", "urgency")),
        reasons=(Message("why.after_teaching", {"minutes": 20}),),
        fresh=(),
        evidence=(quote(1), quote(2, "see https://a.example @everyone", kind="chat", who="@host2")),
        raised=RAISED,
        phases=(PhaseSpan(0.0, 50.0, "teach"), PhaseSpan(50.0, 70.0, "pitch")),
        show_seconds=130.0,
    )
    return replace(made, **changes)


def texts(layout: Layout) -> list[str]:
    return [part.text for part in layout.parts if isinstance(part, Words)]


def test_an_open_warning_in_english() -> None:
    assert alert_layout(parcel(), "en") == Layout(
        AMBER,
        (
            Words(
                "### Possible pitch · likely, 87%\n"
                "**Who** · **\\@host** (*unverified name*)\n"
                "**Where** · A \\*show\\* · <#22> · seat 2\n"
                "**Since** · 1:00 into the show · noticed <t:1791055530:R> · the show is still running\n"
                "**Possibly offered** · an ebook or book"
            ),
            Rule(),
            Words(
                "**What was said**\n"
                "> [1:00](https://discord.com/channels/11/22/1) “the ebook is out”\n"
                "> [2:00](https://discord.com/channels/11/22/2) \\@host2 (chat)"
                " “see https\\[\\:\\]\\/\\/a\\[.\\]example \\@\u200beveryone”"
            ),
            Picture(
                TIMELINE,
                "Timeline of the show, 2:10 long: teaching 0:50, possible pitch 0:20. Quotes at 1:00, 2:00.",
            ),
            Words(
                "**What was noticed**\n"
                "- teaching for 20 min, then possibly an own offer\n"
                "- moderators confirmed no earlier episode of this account lately\n"
                "- looked for and not heard: a deadline, a link"
            ),
            Words("-# This is no verdict. Read the quotes and judge for yourself."),
            Row(
                (
                    Button(f"pw:confirm:{ALERT}", "Confirm", "primary"),
                    Button(f"pw:dismiss:{ALERT}", "Dismiss", "secondary"),
                    Button(f"pw:why:{ALERT}", "Why?", "secondary"),
                    Button(f"pw:note:{ALERT}", "Note", "secondary"),
                )
            ),
            Row(
                (
                    Menu(
                        f"pw:snooze:{ALERT}",
                        "Snooze this account…",
                        (Choice("show", "in this show"), Choice("day", "for 24 hours"), Choice("week", "for 7 days")),
                    ),
                )
            ),
        ),
    )


def test_a_decided_warning_in_french() -> None:
    decided = parcel(
        status="confirmed",
        ended=True,
        account="discord:discord:7",
        score=0.999,
        cues=CUES,
        phases=(),
        evidence=(),
        reasons=(
            Message("why.for_presenter", {"name": "Reine _R_"}),
            Message("why.earlier_confirmed", {"count": 3}),
        ),
        decision=DecisionRow("confirmed", MODERATOR, RAISED, (Message("why.passages", {"count": 2}),)),
        notes=(NoteRow("local::ana", "vu\nhier", RAISED),),
        snoozed_until=RAISED,
        more=4,
    )
    assert alert_layout(decided, "fr") == Layout(
        RED_ORANGE,
        (
            Words(
                "### Vente possible · très probable, 99\u00a0%\n"
                "**Qui** · **\\@host** <@7>\n"
                "**Peut-être pour** · Reine \\_R\\_, qui présente\n"
                "**Où** · A \\*show\\* · <#22>\n"
                "**Depuis** · après 1:00 de direct · remarqué <t:1791055530:R> · le direct est terminé\n"
                "**Peut-être proposé** · un livre ou ebook"
            ),
            Rule(),
            Words("**Ce qui a été dit**\nLes citations ne sont plus conservées."),
            Picture(TIMELINE, "Déroulé du direct, 2:10 en tout\u00a0: rien n’a encore été entendu de qui présente."),
            Words("**Ce qui a été remarqué**\n- la modération a confirmé 3 épisode(s) de ce compte"),
            Rule(),
            Words(
                "Confirmé par <@42>, <t:1791055530:R>\n"
                "- 2 passages distincts dans ce direct\n"
                "Note de **ana**\u00a0: vu hier\n"
                "Mis en sourdine jusqu’au <t:1791055530:f>\n"
                "4 autre(s) avertissement(s) retenu(s) par le plafond\u00a0: voir le récapitulatif"
            ),
            Words("-# Ce n’est pas un verdict. Lisez les citations et jugez vous-même."),
            Row(
                (
                    Button(f"pw:undo:{ALERT}", "Annuler", "secondary"),
                    Button(f"pw:why:{ALERT}", "Pourquoi\u202f?", "secondary"),
                    Button(f"pw:note:{ALERT}", "Note", "secondary"),
                )
            ),
        ),
    )


def test_the_answer_to_why() -> None:
    lines = [
        answers.needed_line(0.734, 0.8),
        answers.log_line(MODERATOR, "dismissed", RAISED, {}),
        answers.log_line("local::x", "snooze", RAISED, {"until": RAISED}),
        answers.log_line("local::x", "link", RAISED, {}),
    ]
    assert why_text(parcel(evidence=(quote(1), quote(2, pitch=0.0))), "en", 0.8, lines) == Layout(
        AMBER,
        (
            Words("### Why this warning · \\@host\nHere, warnings begin at 80%. This one stands at 87%."),
            Rule(),
            Words(
                "**What was said**\n"
                "> [1:00](https://discord.com/channels/11/22/1) “the ebook is out”"
                " *read as a possible pitch with 91%*\n"
                "> [2:00](https://discord.com/channels/11/22/2) “the ebook is out”"
            ),
            Words(
                "**What was noticed**\n"
                "- teaching for 20 min, then possibly an own offer\n"
                "- moderators confirmed no earlier episode of this account lately\n"
                "- looked for and not heard: a deadline, a link"
            ),
            Words(
                "**Decisions so far**\n"
                "- For this account 73% from the show alone is enough, for others 80%:"
                " earlier decisions moved that.\n"
                "- <@42> dismissed it, <t:1791055530:R>\n"
                "- **x** snoozed it until <t:1791055530:f>, <t:1791055530:R>\n"
                "- **x**: link, <t:1791055530:R>"
            ),
            Words("-# This is no verdict. Read the quotes and judge for yourself."),
        ),
    )


def test_answers_to_clicks() -> None:
    decision = DecisionRow("dismissed", MODERATOR, RAISED, (Message("why.passages", {"count": 2}),))
    assert [
        answers.decided_text(decision, "en"),
        answers.decided_text(replace(decision, decision="confirmed", changes=()), "fr"),
        answers.already_text(decision, "en"),
        answers.already_text(replace(decision, decision="confirmed"), "fr"),
        answers.undone_text(True, "en"),
        answers.undone_text(False, "fr"),
        answers.snoozed_text(RAISED, "en"),
        answers.noted_text("fr"),
    ] == [
        "Dismissed.\nWhat that changed:\n- 2 separate passages of it in this show",
        "Confirmé.\nRien d’autre n’a changé.",
        "Already dismissed by <@42>, <t:1791055530:R>. “Undo” takes that back.",
        "Déjà confirmé par <@42>, <t:1791055530:R>. «\u00a0Annuler\u00a0» revient là-dessus.",
        "Taken back. The warning is open again.",
        "Il n’y a rien à annuler\u00a0: l’avertissement est ouvert.",
        "Nothing more is said about this account until <t:1791055530:f>. “Undo” takes that back.",
        "La note figure sur l’avertissement.",
    ]
    assert answers.needed_line(0.8, 0.801) == Message("answer.not_moved")


@pytest.mark.parametrize(
    ("changes", "options", "accent", "ping"),
    [
        ({}, {}, AMBER, None),
        ({"score": 0.96}, {}, AMBER, "7"),
        ({"score": 0.96, "first": False}, {}, AMBER, None),
        ({"score": 0.96, "status": "confirmed"}, {}, RED_ORANGE, None),
        ({"score": 0.96, "status": "dismissed"}, {}, GREY, None),
        ({"score": 0.96}, {"dry_run": True}, BLUE, None),
        ({"score": 0.6}, {"ping_from": 0.5}, AMBER, "7"),
    ],
)
def test_colour_and_ping(changes: dict[str, Any], options: dict[str, Any], accent: int, ping: str | None) -> None:
    layout = alert_layout(parcel(**changes), "en", ping_role="7", **options)
    assert (layout.accent, layout.ping_role) == (accent, ping)


def test_a_dry_run_says_so_first() -> None:
    assert texts(alert_layout(parcel(), "fr", dry_run=True))[0].startswith("-# Essai à blanc")


def test_what_is_snoozed_can_be_undone() -> None:
    buttons = alert_layout(parcel(snoozed_until=RAISED), "en").parts[-2]
    assert isinstance(buttons, Row)
    assert [item.custom_id.split(":")[1] for item in buttons.items] == ["confirm", "dismiss", "undo", "why", "note"]


@pytest.mark.parametrize(
    ("language", "told"), [("en", "“the ebook is out” (deleted since)"), ("fr", "(supprimé depuis)")]
)
def test_a_quote_whose_message_is_gone_leads_nowhere_and_says_so(language: str, told: str) -> None:
    layouts = [f(parcel(evidence=(quote(1, deleted=True), quote(2))), language) for f in (alert_layout, _why)]
    for layout in layouts:
        said = "\n".join(texts(layout))
        assert told in said
        assert "> **1:00**" in said
        assert "/11/22/1)" not in said
        assert "> [2:00](https://discord.com/channels/11/22/2)" in said


def _why(shown: Parcel, language: str) -> Layout:
    return why_text(shown, language, 0.5, ())


def test_of_many_quotes_the_first_and_the_newest_are_shown() -> None:
    said = texts(alert_layout(parcel(evidence=tuple(quote(n, f"q{n}") for n in range(1, 13))), "en"))[1]
    assert re.findall(r"“(q\d+)”", said) == ["q1", "q8", "q9", "q10", "q11", "q12"]
    assert "> *6 more quote(s) between these*" in said


def test_a_long_quote_is_cut() -> None:
    said = texts(alert_layout(parcel(evidence=(quote(1, "w" * 4000),)), "en"))[1]
    assert f"“{'w' * 299}…”" in said


@pytest.mark.parametrize(
    ("room", "shown"),
    [
        ("media:https://u:secret@live.example/stage?key=secret", "live\\[.\\]example\\/stage"),
        ("media:rtmp://live.example/a", "live\\[.\\]example\\/a"),
        ("replay:show_1.jsonl", "replay\\:show\\_1\\[.\\]jsonl"),
        ("discord:11/x", "discord\\:11\\/x"),
    ],
)
def test_a_room_is_named_without_its_secrets(room: str, shown: str) -> None:
    assert f"**Where** · {shown} · seat 2" in texts(alert_layout(parcel(room=room, show_title=" "), "en"))[0]


def test_how_sure() -> None:
    assert [percent(share) for share in (0.0, 0.004, 0.5, 0.999, 1.0)] == [1, 1, 50, 99, 99]
    assert [certainty(score) for score in (0.2, 0.7, 0.9)] == [
        "message.possible",
        "message.likely",
        "message.very_likely",
    ]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("@everyone @HERE", "\\@\u200beveryone \\@\u200bHERE"),
        ("<@123> <@!123> <@&123>", "\\<\\@\u200b123\\> \\<\\@\u200b!123\\> \\<\\@\u200b\\&123\\>"),
        ("<#1> <t:1:R> <:a:1> </b:1>", "\\<\\#1\\> \\<t\\:1\\:R\\> \\<\\:a\\:1\\> \\<\\/b\\:1\\>"),
        ("**b** _i_ ~~s~~ ||x||", "\\*\\*b\\*\\* \\_i\\_ \\~\\~s\\~\\~ \\|\\|x\\|\\|"),
        ("# h\n- l\n> q\n-# s", "\\# h \\- l \\> q \\-\\# s"),
        ("1. one 2. two", "1\\. one 2. two"),
        ("```py\nx```", "\\`\\`\\`py x\\`\\`\\`"),
        ("[a](https://b.example)", "\\[a\\]\\(https\\[\\:\\]\\/\\/b\\[.\\]example\\)"),
        ("a\\", "a\\\\"),
        ("ht\u200btps://a.ex\u2060ample", "https\\[\\:\\]\\/\\/a\\[.\\]example"),
        ("@\u200beveryone \u202edlrow\ufeff", "\\@\u200beveryone dlrow"),
        ("\u2028a\x00b\ud800\U000e0041", "a b"),
        ("z\u0301\u0302\u0303\u0304\u0305", "z\u0301\u0302"),
        (" \u3164\u200b ", "…"),
        ("", "…"),
    ],
)
def test_hostile_text_does_nothing(said: str, shown: str) -> None:
    assert plain(said, 300) == shown


def test_people_and_moments() -> None:
    assert [person("discord:g:1", 9), person("local::a*b", 9), person("@everyone", 30)] == [
        "<@1>",
        "**a\\*b**",
        "**\\@\u200beveryone**",
    ]
    assert [moment("2026-10-03T19:25:30", "f"), moment("<@1>", "f")] == ["<t:1791055530:f>", "\\<\\@\u200b1\\>"]
