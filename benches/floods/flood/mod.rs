//! The floods: what each one does to a server.

mod big_names;
mod idle_sockets;
mod logouts;
mod rest_calls;
mod sign_up_profile;
mod sign_ups;
mod sockjs_polls;
mod subscriptions;
mod unread_answers;
pub(crate) mod unread_sockjs;

use crate::Failure;
use crate::attack::Attack;
use crate::child::OpenFiles;
use crate::server::Proxy;
use crate::verdict::MIB;

#[derive(Clone, Copy)]
pub(crate) struct Flood {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// How many files the server may open.
    pub(crate) files: OpenFiles,
    /// Whether the attacker is a proxy that tells its clients' addresses.
    pub(crate) proxy: Proxy,
    /// By how many bytes the database may grow, if the flood has no business to write much.
    pub(crate) disk: Option<u64>,
    /// Runs in the attacker's process until that is ended.
    pub(crate) attack: fn(&Attack),
}

impl Flood {
    const fn new(name: &'static str, about: &'static str, attack: fn(&Attack)) -> Self {
        Self { name, about, files: OpenFiles::ALL, proxy: Proxy::None, disk: None, attack }
    }
}

/// The soft limit that most systems give a program.
const FEW_FILES: OpenFiles = OpenFiles("ulimit -Sn 1024");

pub(crate) const FLOODS: &[Flood] = &[
    Flood::new(
        "sign-up-profile",
        "12 users with a profile of 1 MB, who log in again and again",
        sign_up_profile::flood,
    ),
    Flood::new(
        "sockjs-polls",
        "100 000 polls, each of another SockJS session, which never connects",
        sockjs_polls::flood,
    ),
    Flood {
        proxy: Proxy::Attacker,
        disk: Some(2 * MIB),
        ..Flood::new(
            "rest-network",
            "51 000 logins by `method.callAnon`, each from another address of one IPv6 /64",
            rest_calls::one_network,
        )
    },
    Flood {
        proxy: Proxy::Attacker,
        disk: Some(2 * MIB),
        ..Flood::new(
            "rest-networks",
            "51 000 logins by REST, each from another /64 of one IPv6 /48",
            rest_calls::many_networks,
        )
    },
    Flood {
        disk: Some(2 * MIB),
        ..Flood::new("anonymous-logout", "30 000 calls of `logout` without a login", logouts::flood)
    },
    Flood {
        files: FEW_FILES,
        ..Flood::new(
            "unread-answers",
            "1 100 connections that request pages and SockJS and never read; the server may open 1 024 files",
            unread_answers::flood,
        )
    },
    Flood::new("sign-ups", "1 000 users, created over 200 connections", sign_ups::flood),
    Flood::new(
        "subscriptions",
        "a session with 1 990 subscriptions whose user changes again and again",
        subscriptions::flood,
    ),
    Flood::new("unread-sockjs", "20 SockJS sessions that ask for much and never poll", unread_sockjs::flood),
    Flood {
        disk: Some(4 * MIB),
        ..Flood::new("big-names", "logins and sign-ups with names of 1 MB", big_names::flood)
    },
    Flood::new(
        "idle-sockets",
        "5 000 WebSockets without a session, and 5 000 connections without a byte",
        idle_sockets::flood,
    ),
];

pub(crate) fn named(name: &str) -> Result<&'static Flood, Failure> {
    let found = FLOODS.iter().find(|flood| flood.name == name);
    found.ok_or_else(|| format!("the flood `{name}` is unknown; see --help").into())
}
