//! Users, in SQL.
//!
//! - `rows`: how a user is read and inserted;
//! - `names`, `emails`: what must be unique;
//! - `fields`: profile, further fields and password;
//! - `roles`: roles, and who has them;
//! - `factors`: authenticator apps, backup codes, codes by e-mail;
//! - `list`: pages of users.

mod emails;
mod factors;
mod fields;
mod list;
mod names;
mod roles;
mod rows;

use bolide_protocol::Ejson;
use bolide_protocol::ejson::Object;

use super::layer::query;
use super::{SqlStore, Touches, passkeys, tokens};
use crate::store::user::Users;
use crate::store::{
    BackupCodes, EmailAddress, KeyedHash, NewUser, PendingTotp, RoleLoss, Sealed, StoreFuture, StoredHash, User,
    UserFilter, UserPage,
};
use crate::user::UserId;
pub(super) use factors::insert_backup_codes;
pub(in crate::store) use rows::folded_name_in;

impl Users for SqlStore {
    fn insert_user(&self, new: NewUser) -> StoreFuture<'_, ()> {
        Box::pin(rows::insert_new(self, new))
    }

    fn user<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, Option<User>> {
        Box::pin(rows::user(self, id))
    }

    fn user_by_username<'store>(&'store self, username: &'store str) -> StoreFuture<'store, Option<User>> {
        Box::pin(names::user(self, username))
    }

    fn user_by_address<'store>(&'store self, address: &'store str) -> StoreFuture<'store, Option<User>> {
        Box::pin(emails::user(self, address))
    }

    fn is_username_taken<'store>(&'store self, username: &'store str, id: &'store UserId) -> StoreFuture<'store, bool> {
        Box::pin(names::is_taken(&self.database.reader, username, id))
    }

    fn is_address_taken<'store>(&'store self, address: &'store str, id: &'store UserId) -> StoreFuture<'store, bool> {
        Box::pin(emails::is_taken(&self.database.reader, address, id))
    }

    fn users(&self, filter: UserFilter) -> StoreFuture<'_, UserPage> {
        Box::pin(list::page(self, filter))
    }

    fn delete_user<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, bool> {
        self.change_of(Touches::Everything, query("DELETE FROM users WHERE id = $1").bind(id.as_str()))
    }

    fn set_username<'store>(&'store self, id: &'store UserId, username: &'store str) -> StoreFuture<'store, bool> {
        Box::pin(names::set(self, id, username))
    }

    fn remove_username<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, bool> {
        let removed = query(
            "UPDATE users SET username = NULL, username_folded = NULL, username_skeleton = NULL \
             WHERE id = $1 AND username IS NOT NULL",
        );
        self.change_of(Touches::User(id), removed.bind(id.as_str()))
    }

    fn set_profile<'store>(&'store self, id: &'store UserId, profile: Option<Object>) -> StoreFuture<'store, bool> {
        Box::pin(fields::set_profile(self, id, profile))
    }

    fn replace_profile<'store>(
        &'store self,
        id: &'store UserId,
        from: Option<&'store Object>,
        to: &'store Object,
    ) -> StoreFuture<'store, bool> {
        Box::pin(fields::replace_profile(self, id, from, to))
    }

    fn set_fields<'store>(&'store self, id: &'store UserId, fields: Object) -> StoreFuture<'store, bool> {
        Box::pin(fields::set_all(self, id, fields))
    }

    fn set_roles<'store>(&'store self, id: &'store UserId, roles: Vec<String>) -> StoreFuture<'store, bool> {
        Box::pin(roles::set(self, id, roles))
    }

    fn set_field<'store>(
        &'store self,
        id: &'store UserId,
        name: &'store str,
        value: Option<Ejson>,
    ) -> StoreFuture<'store, bool> {
        Box::pin(fields::set(self, id, name, value))
    }

    fn change_unless_last<'store>(
        &'store self,
        id: &'store UserId,
        change: RoleLoss,
        role: &'store str,
    ) -> StoreFuture<'store, bool> {
        Box::pin(roles::change_unless_last(self, id, change, role))
    }

    fn set_active<'store>(&'store self, id: &'store UserId, is_active: bool) -> StoreFuture<'store, bool> {
        let set = query("UPDATE users SET is_active = $2 WHERE id = $1");
        self.change_of(Touches::User(id), set.bind(id.as_str()).bind(is_active))
    }

    fn set_password<'store>(&'store self, id: &'store UserId, hash: StoredHash) -> StoreFuture<'store, bool> {
        let set =
            query("UPDATE users SET password = $2, must_change_password = FALSE, totp_pending = NULL WHERE id = $1");
        self.change_of(Touches::User(id), set.bind(id.as_str()).bind(hash.as_str().to_owned()))
    }

    fn replace_password<'store>(
        &'store self,
        id: &'store UserId,
        from: &'store StoredHash,
        to: StoredHash,
    ) -> StoreFuture<'store, bool> {
        let replaced = query("UPDATE users SET password = $3 WHERE id = $1 AND password = $2");
        let replaced = replaced.bind(id.as_str()).bind(from.as_str()).bind(to.as_str().to_owned());
        self.change_of(Touches::User(id), replaced)
    }

    fn active_users<'store>(&'store self, ids: &'store [UserId]) -> StoreFuture<'store, Vec<UserId>> {
        Box::pin(list::active(self, ids))
    }

    fn add_email<'store>(&'store self, id: &'store UserId, email: EmailAddress) -> StoreFuture<'store, bool> {
        Box::pin(emails::add(self, id, email))
    }

    fn replace_email<'store>(
        &'store self,
        id: &'store UserId,
        from: Option<&'store str>,
        to: EmailAddress,
    ) -> StoreFuture<'store, bool> {
        Box::pin(emails::replace(self, id, from, to))
    }

    fn remove_email<'store>(&'store self, id: &'store UserId, address: &'store str) -> StoreFuture<'store, bool> {
        Box::pin(emails::change(self, id, address, "DELETE FROM emails WHERE user_id = $1 AND folded = $2"))
    }

    fn verify_email<'store>(&'store self, id: &'store UserId, address: &'store str) -> StoreFuture<'store, bool> {
        let verify = "UPDATE emails SET is_verified = TRUE WHERE user_id = $1 AND folded = $2";
        Box::pin(emails::change(self, id, address, verify))
    }

    fn set_email_codes<'store>(&'store self, id: &'store UserId, are_on: bool) -> StoreFuture<'store, bool> {
        let set =
            query("UPDATE users SET has_email_codes = $2, totp_pending = NULL WHERE id = $1 AND has_email_codes <> $2");
        self.change_of(Touches::User(id), set.bind(id.as_str()).bind(are_on))
    }

    fn begin_totp<'store>(&'store self, id: &'store UserId, pending: PendingTotp) -> StoreFuture<'store, bool> {
        factors::begin_totp(self, id, pending)
    }

    fn confirm_totp<'store>(
        &'store self,
        id: &'store UserId,
        pending: &'store PendingTotp,
        step: i64,
        codes: BackupCodes,
    ) -> StoreFuture<'store, bool> {
        Box::pin(factors::confirm_totp(self, id, pending, step, codes))
    }

    fn take_totp_step<'store>(&'store self, id: &'store UserId, step: i64) -> StoreFuture<'store, bool> {
        let taken =
            query("UPDATE users SET totp_step = $2 WHERE id = $1 AND totp_step < $2 AND totp_secret IS NOT NULL");
        self.change_of(Touches::User(id), taken.bind(id.as_str()).bind(step))
    }

    fn remove_totp<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, bool> {
        Box::pin(factors::remove_totp(self, id))
    }

    fn reseal_totp<'store>(
        &'store self,
        id: &'store UserId,
        from: &'store Sealed,
        to: Sealed,
    ) -> StoreFuture<'store, bool> {
        factors::reseal_totp(self, id, from, &to)
    }

    fn totp_secrets(&self) -> StoreFuture<'_, Vec<(UserId, Sealed)>> {
        Box::pin(factors::totp_secrets(self))
    }

    fn replace_backup_codes<'store>(&'store self, id: &'store UserId, codes: BackupCodes) -> StoreFuture<'store, bool> {
        Box::pin(factors::replace_backup_codes(self, id, codes))
    }

    fn take_backup_code<'store>(
        &'store self,
        id: &'store UserId,
        hashes: &'store [KeyedHash],
    ) -> StoreFuture<'store, bool> {
        Box::pin(factors::take_backup_code(self, id, hashes))
    }

    fn backup_codes_left<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, u32> {
        Box::pin(factors::backup_codes_left(self, id))
    }
}
