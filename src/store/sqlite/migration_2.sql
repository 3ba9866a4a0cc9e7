CREATE TABLE roles (
    name TEXT PRIMARY KEY,
    description TEXT NOT NULL,
    mandatory_two_factor INTEGER NOT NULL
);
INSERT INTO roles (name, description, mandatory_two_factor) VALUES
    ('admin', 'May change settings and other users', 0),
    ('user', 'Has signed up', 0);
