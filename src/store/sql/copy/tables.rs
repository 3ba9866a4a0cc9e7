//! The tables of a store, in an order in which rows refer to earlier tables only.

use Kind::{Boolean, Bytes, Number, Text};

/// A table and what a copy has of it.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The columns. Those of the primary key come first, in its order.
    pub(super) columns: &'static [(&'static str, Kind)],
    /// The number of columns of the primary key.
    pub(super) key: usize,
    /// The column whose numbers the database draws.
    pub(super) numbered: Option<&'static str>,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Boolean,
    Bytes,
}

pub(super) const TABLES: [Table; 20] = [
    Table::new("canary", 1, &[("id", Number), ("sealed", Bytes)]),
    Table::new(
        "users",
        1,
        &[
            ("id", Text),
            ("username", Text),
            ("username_folded", Text),
            ("username_skeleton", Text),
            ("name_folded", Text),
            ("profile", Text),
            ("roles", Text),
            ("fields", Text),
            ("created_at", Number),
            ("is_active", Boolean),
            ("password", Text),
            ("must_change_password", Boolean),
            ("totp_pending", Bytes),
            ("totp_pending_token", Text),
            ("totp_pending_since", Number),
            ("totp_secret", Bytes),
            ("totp_step", Number),
            ("has_email_codes", Boolean),
        ],
    ),
    Table::new("user_roles", 2, &[("user_id", Text), ("role", Text)]),
    Table::new(
        "emails",
        2,
        &[("user_id", Text), ("folded", Text), ("address", Text), ("is_verified", Boolean), ("place", Number)],
    ),
    Table::new("backup_codes", 2, &[("user_id", Text), ("hash", Text)]),
    Table::new(
        "tokens",
        1,
        &[
            ("hashed", Text),
            ("user_id", Text),
            ("created_at", Number),
            ("expires_at", Number),
            ("name", Text),
            ("last_part", Text),
            ("bypasses", Boolean),
            ("trusted_since", Number),
            ("trusted_until", Number),
            ("fingerprint", Bytes),
            ("last_used_at", Number),
            ("last_address", Text),
            ("last_user_agent", Text),
        ],
    ),
    Table::new("seen_clients", 2, &[("user_id", Text), ("client", Text), ("seen_at", Number)]),
    Table::new(
        "email_codes",
        2,
        &[
            ("user_id", Text),
            ("purpose", Text),
            ("hash", Text),
            ("created_at", Number),
            ("expires_at", Number),
            ("failures", Number),
        ],
    ),
    Table::new(
        "links",
        1,
        &[
            ("hash", Text),
            ("user_id", Text),
            ("purpose", Text),
            ("address", Text),
            ("created_at", Number),
            ("expires_at", Number),
        ],
    ),
    Table::new(
        "challenges",
        1,
        &[("hash", Text), ("user_id", Text), ("method", Text), ("created_at", Number), ("expires_at", Number)],
    ),
    Table::new(
        "passkeys",
        1,
        &[
            ("id", Text),
            ("user_id", Text),
            ("name", Text),
            ("public_key", Bytes),
            ("counter", Number),
            ("is_backup_eligible", Boolean),
            ("is_backed_up", Boolean),
            ("transports", Text),
            ("created_at", Number),
            ("last_used_at", Number),
        ],
    ),
    Table::new("used_challenges", 1, &[("hash", Text), ("user_id", Text), ("expires_at", Number)]),
    Table::new(
        "failures",
        1,
        &[("key", Text), ("failures", Number), ("started_at", Number), ("last_at", Number), ("blocked_until", Number)],
    ),
    Table::new("settings", 1, &[("id", Text), ("json", Text), ("changed_at", Number)]),
    Table::new(
        "audit",
        1,
        &[
            ("id", Number),
            ("at", Number),
            ("event", Text),
            ("user_id", Text),
            ("actor", Text),
            ("address", Text),
            ("user_agent", Text),
            ("details", Text),
            ("count", Number),
            ("merge_key", Text),
        ],
    )
    .numbered("id"),
    Table::new(
        "mails",
        1,
        &[
            ("id", Number),
            ("kind", Text),
            ("recipients", Text),
            ("subject", Text),
            ("body", Bytes),
            ("created_at", Number),
            ("expires_at", Number),
            ("next_attempt_at", Number),
            ("given_up_at", Number),
            ("failures", Number),
            ("last_error", Text),
        ],
    )
    .numbered("id"),
    Table::new(
        "heads",
        1,
        &[
            ("number", Number),
            ("collection", Text),
            ("seq", Number),
            ("purged_to", Number),
            ("documents", Number),
            ("bytes", Number),
        ],
    )
    .numbered("number"),
    Table::new("documents", 2, &[("collection", Number), ("id", Text), ("fields", Text), ("seq", Number)]),
    Table::new(
        "document_indexes",
        1,
        &[("number", Number), ("collection", Number), ("name", Text), ("is_ready", Boolean)],
    )
    .numbered("number"),
    Table::new("document_keys", 3, &[("index_number", Number), ("key", Bytes), ("id", Text), ("elements", Number)]),
];

impl Table {
    const fn new(name: &'static str, key: usize, columns: &'static [(&'static str, Kind)]) -> Self {
        Self { name, columns, key, numbered: None }
    }

    const fn numbered(self, column: &'static str) -> Self {
        Self { numbered: Some(column), ..self }
    }

    /// Returns the names of the columns, separated by commas.
    pub(super) fn column_list(&self) -> String {
        list(self.columns)
    }

    /// Returns the names of the columns of the primary key, separated by commas.
    pub(super) fn key_list(&self) -> String {
        list(&self.columns[..self.key])
    }
}

fn list(columns: &[(&str, Kind)]) -> String {
    columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
