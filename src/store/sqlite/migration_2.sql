-- A code that was mailed for a log-in counts for no call, nor the other way round. Codes that were under way are asked for anew.
DROP TABLE email_codes;
CREATE TABLE email_codes (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose TEXT NOT NULL,
    hash TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    PRIMARY KEY (user_id, purpose)
);
