-- The bodies of mails are sealed. Mails that wait in the clear are dropped: their links and codes can be requested again.
DROP TABLE mails;
CREATE TABLE mails (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    recipients TEXT NOT NULL,
    subject TEXT NOT NULL,
    body BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    next_attempt_at INTEGER,
    given_up_at INTEGER,
    failures INTEGER NOT NULL,
    last_error TEXT
);
