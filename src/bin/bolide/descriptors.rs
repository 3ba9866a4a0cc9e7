//! The open files that the system allows this process: the limit is raised as far as it may be, and the maximum numbers of
//! connections are lowered to what remains.

use bolide::Limits;

/// The number of descriptors that are kept for the database, mails, connections to other servers and the log.
const RESERVED: usize = 128;

/// The limit that macOS accepts where it reports none.
#[cfg(unix)]
const OPEN_MAX: u64 = 10_240;

/// Raises the soft limit to the hard one. Returns the maximum number of open files, or `None` if there is none.
#[cfg(unix)]
pub(crate) fn raise() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let more_than_now = |wanted: Option<u64>| current.is_some_and(|now| wanted.is_none_or(|wanted| wanted > now));
    let raised = [maximum, Some(OPEN_MAX)]
        .into_iter()
        .filter(|wanted| more_than_now(*wanted))
        .find(|wanted| setrlimit(Resource::Nofile, Rlimit { current: *wanted, maximum }).is_ok());
    raised.unwrap_or(current).map(|allowed| usize::try_from(allowed).unwrap_or(usize::MAX))
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub(crate) fn raise() -> Option<usize> {
    None
}

/// Lowers the maximum numbers of connections to the open files that the system allows. One network may then have at most
/// half of them.
pub(crate) fn fit(limits: Limits, open_files: Option<usize>) -> Limits {
    let Some(open_files) = open_files else { return limits };
    let room = room(open_files);
    if limits.connections <= room {
        return limits;
    }
    let connections_per_network = limits.connections_per_network.min(room.div_ceil(2));
    tracing::warn!(
        connections = room,
        connections_per_network,
        "the system allows {open_files} open files, which are not enough for --max-connections {}; raise the hard limit \
         (ulimit -Hn), or lower --max-connections",
        limits.connections
    );
    Limits { connections: room, connections_per_network, ..limits }
}

/// Returns the number of connections for which these open files are enough.
pub(crate) fn room(open_files: usize) -> usize {
    open_files.saturating_sub(RESERVED).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_into_the_open_files_and_leave_some_for_others() {
        let fitted = |open_files| {
            let limits = fit(Limits::default(), open_files);
            (limits.connections, limits.connections_per_network)
        };
        let Limits { connections, connections_per_network, .. } = Limits::default();
        assert_eq!(fitted(None), (connections, connections_per_network));
        assert_eq!(fitted(Some(1 << 20)), (connections, connections_per_network));
        assert_eq!(fitted(Some(1024)), (896, 448));
        assert_eq!(fitted(Some(10)), (1, 1));
    }
}
