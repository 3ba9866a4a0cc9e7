//! [`NodeCheck`]: whether this node should be sent clients: whether its store answers, and what it hears of other nodes.

use std::pin::Pin;
#[cfg(feature = "accounts")]
use std::sync::Arc;

use crate::bus::{BusMember, Standing};
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
}

impl NodeCheck {
    pub(super) fn new(bus: Option<BusMember>, #[cfg(feature = "accounts")] stores: Vec<Arc<dyn Store>>) -> Self {
        Self {
            bus,
            #[cfg(feature = "accounts")]
            stores: StoreCheck::new(stores),
        }
    }

    async fn readiness(&self) -> Readiness {
        #[cfg(feature = "accounts")]
        if !self.stores.answer().await {
            return Readiness::Unavailable { reason: "the store cannot be reached" };
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
