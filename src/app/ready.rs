//! [`NodeCheck`]: whether this node should be sent clients: whether its store answers, whether its collections have the changes
//! of other nodes, and what it hears of them.

use std::pin::Pin;
#[cfg(feature = "accounts")]
use std::sync::Arc;

use crate::bus::{BusMember, Standing};
#[cfg(feature = "accounts")]
use crate::collection::StoreLink;
#[cfg(feature = "accounts")]
use crate::store::Store;
use crate::transport::ready::{Readiness, ReadyCheck};

#[cfg(feature = "accounts")]
use super::store_check::StoreCheck;

/// The check behind `/ready`.
pub(super) struct NodeCheck {
    /// `None` if the node is alone.
    bus: Option<BusMember>,
    #[cfg(feature = "accounts")]
    stores: StoreCheck,
    /// `None` without stored collections.
    #[cfg(feature = "accounts")]
    collections: Option<Arc<StoreLink>>,
}

impl NodeCheck {
    pub(super) fn new(
        bus: Option<BusMember>,
        #[cfg(feature = "accounts")] stores: Vec<Arc<dyn Store>>,
        #[cfg(feature = "accounts")] collections: Option<Arc<StoreLink>>,
    ) -> Self {
        Self {
            bus,
            #[cfg(feature = "accounts")]
            stores: StoreCheck::new(stores),
            #[cfg(feature = "accounts")]
            collections,
        }
    }

    async fn readiness(&self) -> Readiness {
        #[cfg(feature = "accounts")]
        if !self.stores.answer().await {
            return Readiness::Unavailable { reason: "the store cannot be reached" };
        }
        #[cfg(feature = "accounts")]
        if self.collections.as_ref().is_some_and(|link| link.is_behind()) {
            return Readiness::Unavailable { reason: "the stored collections are more than 5 seconds behind" };
        }
        let Some(bus) = &self.bus else { return Readiness::Ready { degraded: Vec::new() } };
        match bus.standing() {
            Standing::Starting => Readiness::Unavailable { reason: "the node starts" },
            Standing::Behind => Readiness::Unavailable { reason: "the node is more than 5 seconds behind" },
            Standing::Degraded => Readiness::Ready { degraded: vec![bus.bus()] },
            Standing::Good => Readiness::Ready { degraded: Vec::new() },
        }
    }
}

impl ReadyCheck for NodeCheck {
    fn check(&self) -> Pin<Box<dyn Future<Output = Readiness> + Send + '_>> {
        Box::pin(self.readiness())
    }
}
