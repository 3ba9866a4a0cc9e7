-- The secret of an app that is being set up belongs to the login that began it, and ends. Those under way are begun again.
UPDATE users SET totp_pending = NULL;
ALTER TABLE users ADD COLUMN totp_pending_token TEXT;
ALTER TABLE users ADD COLUMN totp_pending_since INTEGER;
