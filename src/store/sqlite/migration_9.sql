-- What searches for a user's name compare. Filled in by the program for users that are there already.
ALTER TABLE users ADD COLUMN name_folded TEXT;

-- Who has a role. The order of a user's roles stays in `users`.
CREATE TABLE user_roles (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    PRIMARY KEY (user_id, role)
);
INSERT OR IGNORE INTO user_roles (user_id, role)
    SELECT users.id, held.value FROM users, json_each(users.roles) AS held WHERE json_valid(users.roles);
CREATE INDEX users_with_role ON user_roles (role, user_id);
