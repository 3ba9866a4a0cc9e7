//! What admins see and do: publications of all that runs, and methods for users, roles and mails. Each asks for the role
//! `admin`; those that change something are gated.
//!
//! - [`lists`]: the documents of each publication, as they are now;
//! - [`publications`]: they are sent, and sent again when they change;
//! - [`methods`]: what admins change;
//! - [`settings`]: the methods that read and change settings.

mod lists;
mod methods;
mod publications;
mod settings;

use std::sync::Arc;

use crate::accounts::AccountsCore;
use crate::registry::Registry;

pub(crate) fn register(core: &Arc<AccountsCore>, registry: &mut Registry) {
    settings::register(core, registry);
    methods::register(core, registry);
    publications::register(core, registry);
}
