//! [`LocalBus`]: connects the apps of one process.

use std::sync::Arc;

use parking_lot::RwLock;

use super::{Bus, BusMember, BusReceiver};

/// The bus within a process. Apps with clones of it see each other's changes.
#[derive(Clone, Default)]
pub struct LocalBus {
    receivers: Arc<RwLock<Vec<BusReceiver>>>,
}

impl Bus for LocalBus {
    fn join(&self, receiver: BusReceiver) -> BusMember {
        let mut receivers = self.receivers.write();
        let place = receivers.len();
        receivers.push(receiver);
        let others = Arc::clone(&self.receivers);
        BusMember::new(move |event| {
            for (other, receiver) in others.read().iter().enumerate() {
                if other != place {
                    receiver(event);
                }
            }
        })
    }
}

impl std::fmt::Debug for LocalBus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LocalBus").field("members", &self.receivers.read().len()).finish()
    }
}
