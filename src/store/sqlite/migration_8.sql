-- An attempt is refunded only to the count that it is part of.
ALTER TABLE failures ADD COLUMN started_at BIGINT NOT NULL DEFAULT 0;
