//! The metrics: what an app counts, as `OpenMetrics` text for Prometheus and programs like it. They are served on a listener of
//! their own, since they are not for the clients of the app.
//!
//! - [`page`]: the text;
//! - [`listener`]: who may ask, how often, and the answer;
//! - the others write the metrics of one part of the app each.
//!
//! The labels are bounded: names of what the application has registered, and words of this crate. What clients name or send
//! is never one.

#[cfg(feature = "accounts")]
mod accounts;
mod calls;
mod collections;
mod limits;
pub(crate) mod listener;
mod node;
mod page;
mod process;
mod sessions;
#[cfg(feature = "accounts")]
mod store;

use std::sync::Arc;

use crate::call::AppCore;
use page::Page;
#[cfg(feature = "accounts")]
pub(crate) use store::MeasuredStores;

/// Returns the metrics of an app as `OpenMetrics` text.
pub(crate) async fn render(core: &Arc<AppCore>) -> String {
    let process = process::read().await;
    let mut page = Page::default();
    node::write(core, &mut page).await;
    sessions::write(core, &mut page);
    calls::write(core, &mut page);
    collections::write(core, &mut page);
    limits::write(core, &mut page);
    #[cfg(feature = "accounts")]
    accounts::write(core, &mut page).await;
    #[cfg(feature = "accounts")]
    store::write(core, &mut page);
    process::write(&process, &mut page);
    page.finish()
}
