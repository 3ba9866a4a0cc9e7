-- Users of another server may have names or addresses that differ in case only. Those that are equal stay unique; whether
-- another user has a folded one is checked by each write.
ALTER TABLE users RENAME COLUMN username_folded TO username_folded_before;
ALTER TABLE users ADD COLUMN username_folded TEXT;
UPDATE users SET username_folded = username_folded_before, username_folded_before = NULL;
CREATE INDEX users_by_folded_name ON users (username_folded);
CREATE UNIQUE INDEX users_by_name ON users (username);

CREATE TABLE emails_of_users (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    folded TEXT NOT NULL,
    address TEXT NOT NULL,
    is_verified INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (user_id, folded)
);
INSERT INTO emails_of_users (user_id, folded, address, is_verified, place)
    SELECT user_id, folded, address, is_verified, place FROM emails;
DROP TABLE emails;
ALTER TABLE emails_of_users RENAME TO emails;
CREATE INDEX emails_of_user ON emails (user_id, place);
CREATE INDEX emails_by_folded_address ON emails (folded);
CREATE UNIQUE INDEX emails_by_address ON emails (address);
