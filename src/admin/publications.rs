//! The publications for admins. Each reads its documents again when the store announces a change, or every two seconds if
//! changes are not announced. Each time, it checks again that the user is an admin.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bolide_protocol::DdpError;
use futures::future::BoxFuture;
use serde::Deserialize;

use super::history::EVERY;
use super::{cluster, collections, lists, overview};
use crate::accounts::AccountsCore;
use crate::bus::Subject;
use crate::call::MethodResult;
use crate::publication::{Document, Subscription, When, follow};
use crate::registry::Registry;
use crate::store::{AuditFilter, Topic, UserFilter};

/// The interval between two reads of what does not announce its changes.
const POLLING: Duration = Duration::from_secs(2);

/// The maximum number of documents that a publication sends.
const LONGEST_LIST: u32 = 200;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct UserQuery {
    search: Option<String>,
    role: Option<String>,
    offset: u32,
    limit: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AuditQuery {
    user: Option<String>,
    event: Option<String>,
    before: Option<i64>,
    limit: Option<u32>,
}

pub(super) fn register(core: &Arc<AccountsCore>, registry: &mut Registry) {
    let core = Arc::downgrade(core);
    let (settings, roles, methods, sessions) = (core.clone(), core.clone(), core.clone(), core.clone());
    let (users, audit, of_app, of_nodes) = (core.clone(), core.clone(), core.clone(), core.clone());
    registry
        .publish("admin:settings", async move |subscription: Subscription| {
            let read =
                |core: Arc<AccountsCore>| -> Reading { Box::pin(async move { lists::settings(&core.settings) }) };
            show(settings, subscription, Source::Settings, read).await
        })
        .publish("admin:roles", async move |subscription: Subscription| {
            let read = |core: Arc<AccountsCore>| -> Reading { Box::pin(async move { lists::roles(&core) }) };
            show(roles, subscription, Source::Settings, read).await
        })
        .publish("admin:methods", async move |subscription: Subscription| {
            let read = |core: Arc<AccountsCore>| -> Reading {
                Box::pin(async move { cluster::documents(&core, Subject::Methods).await })
            };
            show(methods, subscription, Source::Polled, read).await
        })
        .publish("admin:sessions", async move |subscription: Subscription| {
            let read = |core: Arc<AccountsCore>| -> Reading {
                Box::pin(async move { cluster::documents(&core, Subject::Sessions).await })
            };
            show(sessions, subscription, Source::Polled, read).await
        })
        .publish("admin:overview", async move |subscription: Subscription| {
            let read = |core: Arc<AccountsCore>| -> Reading {
                Box::pin(async move {
                    let mut documents = cluster::documents(&core, Subject::Overview).await?;
                    documents.extend(overview::of_all_nodes(&core).await?);
                    Ok(documents)
                })
            };
            show(of_nodes, subscription, Source::Sampled, read).await
        })
        .publish("admin:collections", async move |subscription: Subscription| {
            let read = |core: Arc<AccountsCore>| -> Reading { Box::pin(async move { collections::list(&core).await }) };
            show(of_app, subscription, Source::Polled, read).await
        })
        .publish("admin:mails", async move |subscription: Subscription| {
            let read = |core: Arc<AccountsCore>| -> Reading {
                Box::pin(async move { lists::mails(&core, LONGEST_LIST).await })
            };
            show(core, subscription, Source::Store(Topic::Mails), read).await
        })
        .publish("admin:users", async move |subscription: Subscription, query: Option<UserQuery>| {
            let query = query.unwrap_or_default();
            let limit = query.limit.unwrap_or(50).min(LONGEST_LIST);
            let filter = UserFilter { search: query.search, role: query.role, offset: query.offset, limit };
            let read = move |core: Arc<AccountsCore>| -> Reading {
                let filter = filter.clone();
                Box::pin(async move { lists::users(&core, filter).await })
            };
            show(users, subscription, Source::Store(Topic::Users), read).await
        })
        .publish("admin:audit", async move |subscription: Subscription, query: Option<AuditQuery>| {
            let filter = query.unwrap_or_default().filter();
            let read = move |core: Arc<AccountsCore>| -> Reading {
                let filter = filter.clone();
                Box::pin(async move { lists::audit(&core, filter).await })
            };
            show(audit, subscription, Source::Store(Topic::Audit), read).await
        });
}

type Reading = BoxFuture<'static, MethodResult<Vec<Document>>>;

/// What announces a change of the documents.
#[derive(Clone, Copy)]
enum Source {
    Settings,
    Store(Topic),
    /// Changes are not announced.
    Polled,
    /// Most changes come with the samples of the history.
    Sampled,
}

impl Source {
    /// A change of users counts as well, since the user may not be an admin any more.
    fn changes(self, core: &AccountsCore) -> When {
        let users = core.store.changes().subscribe(Topic::Users);
        match self {
            Self::Settings => When::Changed(vec![core.settings.subscribe(), users]),
            Self::Store(topic) => When::Changed(vec![core.store.changes().subscribe(topic), users]),
            Self::Polled => When::Every(POLLING),
            Self::Sampled => When::Every(EVERY),
        }
    }
}

async fn show(
    core: Weak<AccountsCore>,
    subscription: Subscription,
    source: Source,
    read: impl Fn(Arc<AccountsCore>) -> Reading + Send + Sync + 'static,
) -> MethodResult<()> {
    let admin = subscription.user_id().cloned().ok_or_else(not_authorized)?;
    let when = core.upgrade().map(|core| source.changes(&core)).ok_or_else(DdpError::internal)?;
    let read = Arc::new(read);
    let read_as_admin = move || -> Reading {
        let (core, admin, read) = (core.clone(), admin.clone(), Arc::clone(&read));
        Box::pin(async move {
            let core = core.upgrade().ok_or_else(DdpError::internal)?;
            if !core.users.is_admin(&admin).await? {
                return Err(not_authorized().into());
            }
            read(core).await
        })
    };
    follow(subscription, when, Arc::new(read_as_admin)).await
}

fn not_authorized() -> DdpError {
    DdpError::new("not-authorized", "Not authorized")
}

impl AuditQuery {
    pub(super) fn filter(self) -> AuditFilter {
        AuditFilter {
            user: self.user.filter(|user| !user.is_empty()).map(Into::into),
            event: self.event.filter(|event| !event.is_empty()),
            before: self.before,
            limit: self.limit.unwrap_or(50).min(LONGEST_LIST),
        }
    }
}
