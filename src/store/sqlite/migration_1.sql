CREATE TABLE users (
    id TEXT PRIMARY KEY,
    username TEXT,
    username_folded TEXT UNIQUE,
    profile TEXT,
    roles TEXT NOT NULL,
    fields TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    is_active INTEGER NOT NULL,
    password TEXT,
    must_change_password INTEGER NOT NULL,
    totp_pending BLOB,
    totp_secret BLOB,
    totp_step INTEGER NOT NULL DEFAULT -1,
    has_email_codes INTEGER NOT NULL
);

CREATE TABLE emails (
    folded TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    is_verified INTEGER NOT NULL,
    place INTEGER NOT NULL
);
CREATE INDEX emails_of_user ON emails (user_id, place);

CREATE TABLE backup_codes (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash TEXT NOT NULL,
    PRIMARY KEY (user_id, hash)
);

CREATE TABLE tokens (
    hashed TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    name TEXT,
    last_part TEXT,
    bypasses INTEGER NOT NULL,
    trusted_since INTEGER,
    trusted_until INTEGER,
    fingerprint BLOB,
    last_used_at INTEGER,
    last_address TEXT,
    last_user_agent TEXT,
    UNIQUE (user_id, name)
);
CREATE INDEX tokens_by_end ON tokens (expires_at);

CREATE TABLE email_codes (
    user_id TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    hash TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    failures INTEGER NOT NULL
);

CREATE TABLE links (
    hash TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose TEXT NOT NULL,
    address TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX links_of_user ON links (user_id, purpose);

CREATE TABLE challenges (
    hash TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    method TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);

CREATE TABLE failures (
    key TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    blocked_until INTEGER
);

CREATE TABLE settings (id TEXT PRIMARY KEY, json TEXT NOT NULL, changed_at INTEGER NOT NULL);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    user_id TEXT,
    actor TEXT,
    address TEXT,
    user_agent TEXT,
    details TEXT NOT NULL
);
CREATE INDEX audit_of_user ON audit (user_id, id);

CREATE TABLE documents (
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    fields TEXT NOT NULL,
    PRIMARY KEY (collection, id)
);

CREATE TABLE mails (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    recipients TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    html TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    next_attempt_at INTEGER,
    given_up_at INTEGER,
    failures INTEGER NOT NULL,
    last_error TEXT
);
