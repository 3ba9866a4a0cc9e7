-- Equal failures of one network in one minute are one row with a count.
ALTER TABLE audit ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
ALTER TABLE audit ADD COLUMN merge_key TEXT;
CREATE UNIQUE INDEX audit_merged ON audit (merge_key) WHERE merge_key IS NOT NULL;

-- What a username looks like. Filled in by the program for users that are there already.
ALTER TABLE users ADD COLUMN username_skeleton TEXT;
CREATE INDEX users_by_skeleton ON users (username_skeleton);

-- The counters that make room if there are too many.
CREATE INDEX failures_by_time ON failures (last_at);
