-- The secret of an app that is being set up belongs to the login that began it, and ends. Those under way are begun again.
UPDATE users SET totp_pending = NULL;
ALTER TABLE users ADD COLUMN totp_pending_token TEXT;
ALTER TABLE users ADD COLUMN totp_pending_since INTEGER;

CREATE TABLE seen_clients (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, client)
);
