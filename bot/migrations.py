"""The tables, as named migrations. A migration that has landed is never changed; a new one is added below it."""

from datetime import UTC, datetime

from sqlite_utils import Database, Migrations

from bot.period_migration import BEGINNING, add_periods
from bot.stretch_migration import add_stretches

migrations = Migrations("pitchwatch")

#: Tables are STRICT, so that a number never turns into text unnoticed. JSON columns hold arrays or objects.
_FIRST = """
CREATE TABLE rooms (
    id TEXT PRIMARY KEY,             -- kind:address
    kind TEXT NOT NULL,
    address TEXT NOT NULL
) STRICT;
CREATE TABLE watches (
    community TEXT NOT NULL,
    room TEXT NOT NULL REFERENCES rooms(id),
    channel TEXT NOT NULL,
    sensitivity TEXT NOT NULL,
    dry_run INTEGER NOT NULL,
    consent INTEGER NOT NULL,
    source TEXT NOT NULL,            -- file (read-only) or community
    PRIMARY KEY (community, room)
) STRICT;
CREATE TABLE accounts (
    id TEXT PRIMARY KEY,             -- platform:server:id
    platform TEXT NOT NULL,
    server TEXT NOT NULL,
    name TEXT NOT NULL,              -- the name last seen
    first_seen TEXT NOT NULL,
    last_seen TEXT NOT NULL
) STRICT;
CREATE INDEX accounts_by_name ON accounts(name);
CREATE TABLE shows (
    id TEXT NOT NULL,
    room TEXT NOT NULL REFERENCES rooms(id),
    title TEXT NOT NULL,
    host TEXT REFERENCES accounts(id),
    started TEXT NOT NULL,           -- of the broadcast, as the room says it; else when first heard
    updated TEXT NOT NULL,           -- wall clock of the last change
    seconds REAL NOT NULL,
    events INTEGER NOT NULL,
    unread INTEGER NOT NULL,         -- lines that no model could read
    dropped INTEGER NOT NULL,
    lost_seconds REAL NOT NULL,      -- time in which the room could not be heard
    ended INTEGER NOT NULL,
    phases TEXT NOT NULL,            -- [[at, until, phase], …]
    PRIMARY KEY (room, id)
) STRICT;
CREATE INDEX shows_by_start ON shows(started);
CREATE TABLE participations (
    room TEXT NOT NULL,
    show TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES accounts(id),
    lines INTEGER NOT NULL,
    selling_lines INTEGER NOT NULL,
    words INTEGER NOT NULL,
    seconds REAL NOT NULL,
    seated INTEGER NOT NULL,
    PRIMARY KEY (room, show, account),
    FOREIGN KEY (room, show) REFERENCES shows(room, id)
) STRICT;
CREATE INDEX participations_by_account ON participations(account);
CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    community TEXT NOT NULL,
    room TEXT NOT NULL,
    show TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES accounts(id),
    name TEXT NOT NULL,              -- as shown at the time
    episode INTEGER NOT NULL,
    presenter TEXT,
    since REAL NOT NULL,             -- seconds of the show, like at and last_at
    at REAL NOT NULL,
    last_at REAL NOT NULL,
    score REAL NOT NULL,
    offers TEXT NOT NULL,
    cues TEXT NOT NULL,
    reasons TEXT NOT NULL,           -- [[key, {params}], …]
    status TEXT NOT NULL,            -- open, confirmed, dismissed
    running INTEGER NOT NULL,        -- the episode is not over yet
    held_back INTEGER NOT NULL,
    version INTEGER NOT NULL,
    raised TEXT NOT NULL,            -- wall clock
    FOREIGN KEY (room, show) REFERENCES shows(room, id)
) STRICT;
CREATE INDEX alerts_by_account ON alerts(account, community);
CREATE INDEX alerts_by_community ON alerts(community, raised);
CREATE TABLE evidence (
    alert TEXT NOT NULL REFERENCES alerts(id),
    event_id TEXT NOT NULL,
    version INTEGER NOT NULL,        -- of the alert that brought it
    at REAL NOT NULL,
    until REAL NOT NULL,
    who TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    pitch REAL NOT NULL,
    noted TEXT NOT NULL,             -- wall clock; deleted after the set time
    PRIMARY KEY (alert, event_id)
) STRICT;
CREATE TABLE outbox (
    alert TEXT NOT NULL REFERENCES alerts(id),
    sink TEXT NOT NULL,
    channel TEXT NOT NULL,
    desired_version INTEGER NOT NULL,
    delivered_version INTEGER NOT NULL,
    attempted_version INTEGER NOT NULL,  -- above delivered: its outcome is not known yet
    state TEXT NOT NULL,             -- pending, sent, unknown, blocked (nowhere to send it), deleted (by hand)
    attempts INTEGER NOT NULL,
    next_try TEXT NOT NULL,
    reference TEXT,                  -- what the sink finds its message by
    error TEXT,
    PRIMARY KEY (alert, sink)
) STRICT;
CREATE INDEX outbox_waiting ON outbox(state, next_try);
CREATE TABLE observations (
    community TEXT NOT NULL,
    room TEXT NOT NULL,
    show TEXT NOT NULL,
    detector TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES accounts(id),
    event_id TEXT NOT NULL,
    at REAL NOT NULL,
    score REAL NOT NULL,
    key TEXT NOT NULL,
    params TEXT NOT NULL,
    quote TEXT NOT NULL,
    noted TEXT NOT NULL,
    PRIMARY KEY (community, room, show, detector, event_id, account)
) STRICT;
CREATE INDEX observations_by_account ON observations(account);
CREATE TABLE reviews (
    id INTEGER PRIMARY KEY,
    alert TEXT NOT NULL REFERENCES alerts(id),
    community TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    decision TEXT NOT NULL,          -- confirmed or dismissed
    note TEXT NOT NULL,
    decided TEXT NOT NULL,
    undone TEXT
) STRICT;
CREATE TABLE exemptions (
    community TEXT NOT NULL,
    account TEXT NOT NULL,
    by TEXT NOT NULL,
    since TEXT NOT NULL,
    PRIMARY KEY (community, account)
) STRICT;
CREATE TABLE snoozes (
    community TEXT NOT NULL,
    subject TEXT NOT NULL,           -- an account, or a room
    until TEXT NOT NULL,
    by TEXT NOT NULL,
    PRIMARY KEY (community, subject)
) STRICT;
CREATE TABLE statements (
    id INTEGER PRIMARY KEY,
    community TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES accounts(id),
    text TEXT NOT NULL,
    made TEXT NOT NULL
) STRICT;
CREATE TABLE snapshots (
    room TEXT NOT NULL,
    show TEXT NOT NULL,
    numbers TEXT NOT NULL,           -- JSON without any text of the room
    taken TEXT NOT NULL,
    PRIMARY KEY (room, show)
) STRICT;
"""


@migrations()
def first_tables(db: Database) -> None:
    """Everything that the first version stores."""
    for statement in _FIRST.split(";\n"):
        if statement.strip():
            db.execute(statement)


_REVIEWING = """
ALTER TABLE evidence ADD COLUMN seat INTEGER;
ALTER TABLE outbox ADD COLUMN attempted TEXT;
ALTER TABLE outbox ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alerts ADD COLUMN channel TEXT NOT NULL DEFAULT '';
UPDATE alerts SET channel = COALESCE(
    (SELECT CASE sink WHEN 'dry_run' THEN 'dry_run:' || channel ELSE channel END FROM outbox WHERE alert = alerts.id),
    ''
);
ALTER TABLE reviews ADD COLUMN changes TEXT NOT NULL DEFAULT '[]';
CREATE TABLE communities (
    community TEXT PRIMARY KEY,
    channel TEXT,                    -- where its warnings go, unless a watch says otherwise
    moderator_role TEXT,             -- unset: whoever may manage messages
    ping_role TEXT,                  -- unset: nobody is pinged
    ping_from REAL NOT NULL DEFAULT 0.95,
    language TEXT,                   -- unset: the guild's own
    sensitivity TEXT NOT NULL DEFAULT 'normal',
    source TEXT NOT NULL             -- file (read-only) or community
) STRICT;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    community TEXT NOT NULL,
    actor TEXT NOT NULL,             -- an account
    action TEXT NOT NULL,
    subject TEXT NOT NULL,           -- an alert, an account, a room or a setting
    details TEXT NOT NULL,           -- JSON object
    done TEXT NOT NULL               -- wall clock
) STRICT;
CREATE INDEX audit_by_subject ON audit(community, subject);
CREATE TABLE notes (
    id INTEGER PRIMARY KEY,
    alert TEXT NOT NULL REFERENCES alerts(id),
    community TEXT NOT NULL,
    author TEXT NOT NULL,
    text TEXT NOT NULL,
    written TEXT NOT NULL
) STRICT;
CREATE INDEX notes_by_alert ON notes(alert);
CREATE TABLE dismissed_texts (
    community TEXT NOT NULL,
    signature TEXT NOT NULL,         -- SimHash of a quote of a dismissed warning, in hexadecimal
    review INTEGER NOT NULL REFERENCES reviews(id),
    noted TEXT NOT NULL,
    PRIMARY KEY (community, signature, review)
) STRICT;
CREATE INDEX reviews_by_alert ON reviews(alert);
CREATE TABLE own_notes (
    name TEXT PRIMARY KEY,           -- what the bot notes for its next start
    value TEXT NOT NULL
) STRICT;
"""


@migrations()
def reviewing(db: Database) -> None:
    """Settings of communities, what moderators did, and what dismissed warnings looked like."""
    for statement in _REVIEWING.split(";\n"):
        if statement.strip():
            db.execute(statement)


_COMMUNITIES = """
CREATE TABLE digests (
    community TEXT PRIMARY KEY,
    every TEXT NOT NULL,             -- day, week or month
    weekday INTEGER NOT NULL,        -- 0 Monday … 6 Sunday, for week
    hour INTEGER NOT NULL,           -- of the community's own day
    zone TEXT NOT NULL,              -- IANA name
    channel TEXT NOT NULL,           -- discord:number
    least INTEGER NOT NULL,          -- episodes below which nothing is sent
    next_due TEXT NOT NULL           -- wall clock, UTC
) STRICT;
CREATE TABLE digest_runs (
    community TEXT NOT NULL,
    due TEXT NOT NULL,
    since TEXT NOT NULL,
    state TEXT NOT NULL,             -- pending, sent, empty, blocked, unknown, dropped (for a newer one)
    attempted TEXT,
    reference TEXT,
    error TEXT,
    PRIMARY KEY (community, due)
) STRICT;
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    community TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES accounts(id),
    what TEXT NOT NULL,              -- followers, or what else was looked up
    value REAL NOT NULL,
    source TEXT NOT NULL,
    as_of TEXT NOT NULL,             -- ISO date
    noted_by TEXT NOT NULL,
    noted TEXT NOT NULL,
    undone TEXT
) STRICT;
CREATE INDEX records_by_account ON records(account, community);
CREATE TABLE links (
    community TEXT NOT NULL,
    account TEXT NOT NULL,
    other TEXT NOT NULL,             -- the same person, say moderators
    by TEXT NOT NULL,
    since TEXT NOT NULL,
    PRIMARY KEY (community, account, other)
) STRICT;
ALTER TABLE statements ADD COLUMN status TEXT NOT NULL DEFAULT 'shown';
ALTER TABLE statements ADD COLUMN decided_by TEXT;
ALTER TABLE statements ADD COLUMN message TEXT;
ALTER TABLE watches ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE watches ADD COLUMN options TEXT NOT NULL DEFAULT '{}';
ALTER TABLE watches ADD COLUMN added_by TEXT;
"""


@migrations()
def communities_speak(db: Database) -> None:
    """Digests, known figures, joined accounts, statements with their review, and watches of a community's own."""
    for statement in _COMMUNITIES.split(";\n"):
        if statement.strip():
            db.execute(statement)


_DIGESTS = """
ALTER TABLE digest_runs ADD COLUMN before TEXT NOT NULL DEFAULT '';
ALTER TABLE digest_runs ADD COLUMN channel TEXT NOT NULL DEFAULT '';
ALTER TABLE digest_runs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE digest_runs ADD COLUMN next_try TEXT NOT NULL DEFAULT '';
ALTER TABLE digest_runs ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
ALTER TABLE digest_runs ADD COLUMN least INTEGER NOT NULL DEFAULT 0;
CREATE INDEX digest_runs_waiting ON digest_runs(state, next_try);
CREATE TABLE outages (
    room TEXT NOT NULL,              -- empty: the bot itself did not run
    since TEXT NOT NULL,             -- wall clock
    until TEXT NOT NULL,
    PRIMARY KEY (room, since)
) STRICT;
"""


@migrations()
def digests_are_sent(db: Database) -> None:
    """How a digest was tried to be sent, and when rooms could not be heard."""
    for statement in _DIGESTS.split(";\n"):
        if statement.strip():
            db.execute(statement)


@migrations()
def names_where_they_were_seen(db: Database) -> None:
    """A name belongs to the show in which it was seen: one server's nickname is no business of another one."""
    db.execute("ALTER TABLE participations ADD COLUMN name TEXT NOT NULL DEFAULT ''")
    db.execute("UPDATE participations SET name = (SELECT name FROM accounts a WHERE a.id = account)")


@migrations()
def messages_are_deleted(db: Database) -> None:
    """Whether the message behind a quote was deleted since."""
    db.execute("ALTER TABLE evidence ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0")


@migrations()
def watches_have_periods(db: Database) -> None:
    """When each community watched a room."""
    add_periods(db)


@migrations()
def hosts_are_accounts(db: Database) -> None:
    """Whoever speaks in a stream, as a community says, can be looked up and noted about, heard or not."""
    now = datetime.now(UTC).isoformat()
    first = "CASE WHEN MIN(since) = ? THEN ? ELSE MIN(since) END"
    db.execute(
        "INSERT OR IGNORE INTO accounts (id, platform, server, name, first_seen, last_seen)"
        f" SELECT host, 'media', 'stream', COALESCE(MAX(host_name), host), {first}, {first}"
        " FROM watch_periods WHERE host IS NOT NULL GROUP BY host",
        [BEGINNING, now, BEGINNING, now],
    )


@migrations()
def shows_are_heard_in_stretches(db: Database) -> None:
    """What each community heard of a show itself."""
    add_stretches(db)


def newest() -> int:
    """Return the number of the newest schema, counted from 1."""
    return len(migrations._migrations)
