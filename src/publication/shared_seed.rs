//! [`SharedSeed`]: what the maps of all clients hash their keys with.

use std::hash::BuildHasher;
use std::sync::LazyLock;

use foldhash::fast::RandomState;

/// Builds fast hashers that all have one seed, drawn at the first use: clients cannot predict it, and a map needs no room for
/// its own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SharedSeed;

impl BuildHasher for SharedSeed {
    type Hasher = <RandomState as BuildHasher>::Hasher;

    fn build_hasher(&self) -> Self::Hasher {
        static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);
        SEED.build_hasher()
    }
}
