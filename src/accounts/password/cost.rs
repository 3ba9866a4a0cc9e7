//! [`HashingCost`]: how much work a password hash takes.

use argon2::{Argon2, Params};

/// The maximum memory of one hash, in KiB. With more, a few logins would exhaust a machine.
const MAX_MEMORY: u32 = 1024 * 1024;

/// The maximum number of passes over the memory, and of lanes. More would keep a thread busy for minutes.
const MAX_PASSES: u32 = 64;
const MAX_LANES: u32 = 64;

const OWASP: Params = match Params::new(19_456, 2, 1, Some(Params::DEFAULT_OUTPUT_LEN)) {
    Ok(params) => params,
    Err(_) => panic!("argon2 refuses OWASP's parameters"),
};

/// The parameters of argon2id. The default is what OWASP recommends: 19 MiB, 2 passes, 1 lane.
///
/// ```
/// use bolide::accounts::password::HashingCost;
///
/// assert_eq!(HashingCost::default(), HashingCost::new(19_456, 2, 1)?);
/// # Ok::<(), bolide::accounts::password::HashingCostError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashingCost(Params);

/// The parameters are invalid for argon2id, or take unreasonably long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the cost of password hashing must be 8 KiB of memory for each lane up to {MAX_MEMORY} KiB, 1 to {MAX_PASSES} passes and 1 \
     to {MAX_LANES} lanes"
)]
pub struct HashingCostError;

impl HashingCost {
    /// Creates a cost from the memory in KiB, the number of passes over it, and the number of lanes.
    ///
    /// # Errors
    /// Returns [`HashingCostError`] if the parameters are invalid for argon2id, or take unreasonably long.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, HashingCostError> {
        let params = Params::new(memory_kib, passes, lanes, Some(Params::DEFAULT_OUTPUT_LEN));
        Self::reasonable(params.map_err(|_| HashingCostError)?)
    }

    /// Returns the cost of a stored hash.
    pub(super) fn of(hash: &argon2::PasswordHash) -> Result<Self, HashingCostError> {
        Self::reasonable(Params::try_from(hash).map_err(|_| HashingCostError)?)
    }

    /// Returns argon2id with this cost.
    pub(super) fn argon2(&self) -> Argon2<'static> {
        Argon2::from(&self.0)
    }

    fn reasonable(params: Params) -> Result<Self, HashingCostError> {
        let is_reasonable =
            params.m_cost() <= MAX_MEMORY && params.t_cost() <= MAX_PASSES && params.p_cost() <= MAX_LANES;
        if is_reasonable { Ok(Self(params)) } else { Err(HashingCostError) }
    }
}

impl Default for HashingCost {
    fn default() -> Self {
        Self(OWASP)
    }
}

#[cfg(test)]
mod tests {
    use super::{HashingCost, HashingCostError, MAX_LANES, MAX_MEMORY, MAX_PASSES};

    #[test]
    fn a_cost_is_held_within_bounds() {
        assert!(HashingCost::new(8, 1, 1).is_ok());
        assert!(HashingCost::new(MAX_MEMORY, MAX_PASSES, MAX_LANES).is_ok());
        let refused = [(7, 1, 1), (8, 0, 1), (8, 1, 0), (8, 1, 2), (MAX_MEMORY + 1, 1, 1), (8, 65, 1), (1024, 1, 65)];
        for (memory, passes, lanes) in refused {
            assert_eq!(HashingCost::new(memory, passes, lanes), Err(HashingCostError), "{memory} {passes} {lanes}");
        }
    }
}
