//! Joins the parts of an app to the bus: collections and streams with those of the same name on other nodes, accounts with
//! accounts.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use bolide_protocol::ejson::CustomTypes;
use bolide_protocol::random;

#[cfg(feature = "accounts")]
use crate::accounts::AccountsCore;
use crate::bus::{Bus, BusEvent, BusMember, CatchUp, ClusterName};
use crate::chance::{Chance, Generator};
use crate::collection::{CollectionCore, RelayedChange};
use crate::node::NodeId;
use crate::publication::StreamCore;

/// The parts of an app that other nodes are told of.
pub(super) struct Members {
    pub(super) collections: Vec<Arc<CollectionCore>>,
    pub(super) streams: Vec<Arc<StreamCore>>,
    pub(super) types: CustomTypes,
    #[cfg(feature = "accounts")]
    pub(super) accounts: Option<Weak<AccountsCore>>,
}

/// Joins all parts to the bus. They hold the bus, so the bus holds them weakly.
pub(super) fn join(
    bus: &dyn Bus,
    cluster: ClusterName,
    node: &NodeId,
    chance: &dyn Chance,
    members: Members,
) -> BusMember {
    let by_collection: HashMap<String, Weak<CollectionCore>> =
        members.collections.iter().map(|core| (core.name().to_owned(), Arc::downgrade(core))).collect();
    let by_stream: HashMap<String, Weak<StreamCore>> =
        members.streams.iter().map(|core| (core.name().to_owned(), Arc::downgrade(core))).collect();
    let collection = move |name: &str| by_collection.get(name)?.upgrade();
    let stream = move |name: &str| by_stream.get(name)?.upgrade();
    let types = members.types;
    #[cfg(feature = "accounts")]
    let accounts = members.accounts;
    let epoch = random::id(&mut Generator(chance));
    let member = BusMember::join(bus, cluster, (node.as_str(), &epoch), move |event| match event {
        BusEvent::DocumentStored { collection: name, id, fields } => {
            if let Some(core) = collection(name) {
                core.stored_elsewhere(id, fields, &types);
            }
        }
        BusEvent::DocumentRemoved { collection: name, id } => {
            if let Some(core) = collection(name) {
                core.removed_elsewhere(id);
            }
        }
        BusEvent::Stream { stream: name, event, args } => {
            if let Some(core) = stream(name) {
                core.deliver(event, args);
            }
        }
        BusEvent::TokensEnded { .. }
        | BusEvent::UserSignedOut { .. }
        | BusEvent::UserChanged { .. }
        | BusEvent::SettingChanged { .. } =>
        {
            #[cfg(feature = "accounts")]
            if let Some(accounts) = accounts.as_ref().and_then(Weak::upgrade) {
                crate::accounts::hear(&accounts, event);
            }
        }
        BusEvent::Asked(question) => {
            #[cfg(feature = "accounts")]
            if let Some(accounts) = accounts.as_ref().and_then(Weak::upgrade) {
                crate::admin::answer(&accounts, question);
            }
            #[cfg(not(feature = "accounts"))]
            let _nothing_to_tell = question;
        }
        // The bus itself answers these.
        BusEvent::Alive | BusEvent::Left | BusEvent::Omitted | BusEvent::Answered(_) => {}
    });
    members.collections.iter().for_each(|core| relay_changes(core, member.clone()));
    members.streams.iter().for_each(|core| relay_events(core, member.clone()));
    member
}

/// Returns the parts that ask the store for what the bus has not brought.
pub(super) fn parts_that_catch_up(
    #[cfg(feature = "accounts")] accounts: Option<&Arc<AccountsCore>>,
) -> Vec<Box<dyn CatchUp>> {
    #[cfg(feature = "accounts")]
    let parts = accounts.map(crate::accounts::catch_up).into_iter().collect();
    #[cfg(not(feature = "accounts"))]
    let parts = Vec::new();
    parts
}

fn relay_changes(core: &CollectionCore, bus: BusMember) {
    let collection = core.name().to_owned();
    core.attach(Box::new(move |change| {
        let collection = collection.clone();
        bus.publish(&match change {
            RelayedChange::Stored { id, fields } => BusEvent::DocumentStored { collection, id, fields },
            RelayedChange::Removed { id } => BusEvent::DocumentRemoved { collection, id },
        });
    }));
}

fn relay_events(core: &StreamCore, bus: BusMember) {
    let stream = core.name().to_owned();
    core.attach(Box::new(move |event, args| {
        bus.publish(&BusEvent::Stream { stream: stream.clone(), event: event.to_owned(), args });
    }));
}
