-- Passkeys. The id of a credential and its public key are not secret.
CREATE TABLE passkeys (
    id TEXT COLLATE "C" CONSTRAINT passkeys_by_id PRIMARY KEY,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    public_key BYTEA NOT NULL,
    counter BIGINT NOT NULL,
    is_backup_eligible BOOLEAN NOT NULL,
    is_backed_up BOOLEAN NOT NULL,
    transports TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX passkeys_of_user ON passkeys (user_id, created_at, id);

-- The challenges that were answered, until they would have expired: each counts once.
CREATE TABLE used_challenges (
    hash TEXT COLLATE "C" PRIMARY KEY,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL
);
CREATE INDEX used_challenges_of_user ON used_challenges (user_id);

-- How many passkeys a user has is kept with the user, so nodes are told when that changes. They do not keep the rest.
CREATE TRIGGER tell AFTER INSERT OR DELETE ON passkeys FOR EACH ROW EXECUTE FUNCTION bolide_tell_owner();
