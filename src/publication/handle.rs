//! [`Handle`]: identifies a subscription within its session.

use smallvec::SmallVec;

/// Identifies a subscription within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Handle(pub(super) u32);

pub(crate) type Handles = SmallVec<[Handle; 4]>;
