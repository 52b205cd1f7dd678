"""The tables, as named migrations. A migration that has landed is never changed; a new one is added below it."""

from sqlite_utils import Database, Migrations

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
    state TEXT NOT NULL,             -- pending, sent, unknown, failed
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


def newest() -> int:
    """Return the number of the newest schema, counted from 1."""
    return len(migrations._migrations)
