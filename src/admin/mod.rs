//! What admins see and do: publications of all that runs, and methods for users, roles and mails. Each asks for the role
//! `admin`; those that change something are gated.
//!
//! - [`lists`]: the documents of each publication, as they are now;
//! - [`publications`]: they are sent, and sent again when they change;
//! - [`methods`]: what admins change.

mod lists;
mod methods;
mod publications;

use std::sync::Arc;

use crate::accounts::AccountsCore;
use crate::app::AppBuilder;

pub(crate) fn register(core: &Arc<AccountsCore>, builder: AppBuilder) -> AppBuilder {
    publications::register(core, methods::register(core, builder))
}
