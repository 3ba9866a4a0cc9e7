//! What admins see and do: publications of what runs, and methods for users, roles and mails. Each demands the role
//! `admin`; those that change something are gated.
//!
//! - [`lists`]: the documents of each publication; [`collections`]: those about the collections of the app;
//! - [`cluster`]: the same documents of the other nodes;
//! - [`publications`]: sends them, and sends them again when they change;
//! - [`overview`]: what all nodes do, of the samples in [`history`], and what is wrong with them ([`problems`]);
//! - [`methods`]: what admins change;
//! - [`settings`]: the methods that read and change settings.

mod cluster;
mod collections;
mod history;
mod lists;
mod methods;
mod overview;
mod problems;
mod publications;
mod settings;

use std::sync::Arc;

use crate::accounts::AccountsCore;
use crate::registry::Registry;
use crate::two_factor::TwoFactorCore;

pub(crate) use cluster::answer;
pub(crate) use history::{History, start};
pub(crate) use settings::list_settings;

/// Registers the methods and publications for admins.
pub(crate) fn register(accounts: &Arc<AccountsCore>, factors: &Arc<TwoFactorCore>, registry: &mut Registry) {
    settings::register(accounts, registry);
    methods::register(accounts, factors, registry);
    publications::register(accounts, registry);
}
