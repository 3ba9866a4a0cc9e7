-- An attempt is refunded only to the count that it is part of.
ALTER TABLE failures ADD COLUMN started_at BIGINT NOT NULL DEFAULT 0;

-- By its one row, a server recognizes whether it has the keys of the database.
CREATE TABLE canary (id INTEGER PRIMARY KEY CHECK (id = 1), sealed BLOB NOT NULL);
