//! [`NodeId`]: names a node among those that share a store, in logs and in the ids of sessions.

use std::fmt;

use bolide_protocol::random;

use crate::chance::{Chance, Generator};

/// The number of characters of an id. Of a hundred nodes, two have the same id once in two thousand times.
const LENGTH: usize = 4;

/// The number of random characters after it in the id of a session: 75 bits, since the id could resume the session. Both
/// together are as long as the ids of Meteor.
const OWN_LENGTH: usize = 13;

/// The id of a node, drawn when its app is built. It is no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeId(Box<str>);

impl NodeId {
    pub(crate) fn draw(chance: &dyn Chance) -> Self {
        Self(random::id_of_length(&mut Generator(chance), LENGTH).into())
    }

    pub(crate) const fn as_str(&self) -> &str {
        &self.0
    }

    /// Draws the id of a session of this node, which begins with the id of the node.
    pub(crate) fn new_session_id(&self, chance: &dyn Chance) -> Box<str> {
        [&*self.0, &random::id_of_length(&mut Generator(chance), OWN_LENGTH)].concat().into()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::chance::SystemChance;

    #[test]
    fn ids_of_sessions_begin_with_the_node_and_are_as_long_as_those_of_meteor() {
        let node = NodeId::draw(&SystemChance);
        let ids: HashSet<_> = (0..1_000).map(|_| node.new_session_id(&SystemChance)).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(ids.iter().all(|id| id.len() == 17 && id.starts_with(node.as_str())));
        assert_ne!(node, NodeId::draw(&SystemChance));
    }
}
