//! Roles: what belongs to a role, whoever has it. Who has it is stored with the user.

use super::StoreFuture;

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name, as in [`User::roles`](super::User::roles).
    pub name: String,
    /// What it is for, for people.
    pub description: String,
    /// Whether who has it must have a second factor; until one is set up, such a user can do nothing else.
    pub mandatory_two_factor: bool,
}

/// The roles of a store. A user may have roles that are not listed here; nothing belongs to those.
pub trait Roles {
    /// All roles, by name.
    fn roles(&self) -> StoreFuture<'_, Vec<Role>>;

    /// Adds a role, or replaces the one of this name.
    fn put_role(&self, role: Role) -> StoreFuture<'_, ()>;

    /// Removes a role; says whether there was one.
    fn delete_role<'store>(&'store self, name: &'store str) -> StoreFuture<'store, bool>;
}
