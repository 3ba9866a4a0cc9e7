//! [`ProfileBounds`]: how large the profile of a user may be. Clients receive it with every login.

use std::sync::Arc;

use bolide_protocol::ejson::Object;
use bolide_protocol::{DdpError, Ejson, ejson};

use crate::figures::{Figures, Limit};
use crate::limits::Limits;
use crate::store::User;

/// How large the profile and the further fields of a user may be.
#[derive(Clone)]
pub(super) struct ProfileBounds {
    bytes: usize,
    members: usize,
    depth: usize,
    figures: Arc<Figures>,
}

/// What is left of the bounds while a value is measured.
struct Left {
    bytes: usize,
    members: usize,
}

impl ProfileBounds {
    pub(super) fn new(limits: &Limits, figures: &Arc<Figures>) -> Self {
        let &Limits { profile_bytes: bytes, profile_members: members, profile_depth: depth, .. } = limits;
        Self { bytes, members, depth, figures: Arc::clone(figures) }
    }

    /// Checks a profile that a client sends.
    ///
    /// # Errors
    /// 400 if it is too large.
    pub(super) fn check(&self, profile: &Object) -> Result<(), DdpError> {
        if self.fits(profile) { Ok(()) } else { Err(self.refusal()) }
    }

    /// Checks a path below the profile that a client sets.
    ///
    /// # Errors
    /// 400 if the profile may not be that deep.
    pub(super) fn check_path(&self, path: &[&str]) -> Result<(), DdpError> {
        if path.len() <= self.depth { Ok(()) } else { Err(self.refusal()) }
    }

    /// Checks a new user: the profile, and the size of the further fields.
    ///
    /// # Errors
    /// 400 if one of them is too large.
    pub(super) fn check_user(&self, user: &User) -> Result<(), DdpError> {
        if self.too_large_of(user).next().is_none() { Ok(()) } else { Err(self.refusal()) }
    }

    /// Returns the names of what is too large: the profile, or the further fields.
    pub(super) fn too_large_of(&self, user: &User) -> impl Iterator<Item = &'static str> {
        let profile = user.profile.as_ref().is_some_and(|profile| !self.fits(profile)).then_some("profile");
        let fields = (!self.has_size(&user.fields)).then_some("the further fields");
        profile.into_iter().chain(fields)
    }

    fn fits(&self, profile: &Object) -> bool {
        let mut left = Left { bytes: self.bytes, members: self.members };
        // Cheap first: an object of a megabyte is not encoded to learn that it is one.
        left.take_object(profile, self.depth).is_some() && self.has_size(profile)
    }

    fn has_size(&self, object: &Object) -> bool {
        let mut left = Left { bytes: self.bytes, members: self.bytes };
        left.take_object(object, self.bytes).is_some()
            && ejson::to_raw(object).is_ok_and(|raw| raw.get().len() <= self.bytes)
    }

    fn refusal(&self) -> DdpError {
        let Self { bytes, members, depth, figures } = self;
        figures.refusals.count(Limit::Profile);
        DdpError::new(
            400,
            format!(
                "The profile is too large: at most {bytes} bytes, {members} members and {depth} levels are allowed"
            ),
        )
    }
}

impl Left {
    fn take_object(&mut self, object: &Object, levels: usize) -> Option<()> {
        let below = levels.checked_sub(1)?;
        for (name, value) in object {
            self.take_member(name.len(), value, below)?;
        }
        Some(())
    }

    fn take_member(&mut self, name: usize, value: &Ejson, levels: usize) -> Option<()> {
        self.members = self.members.checked_sub(1)?;
        self.bytes = self.bytes.checked_sub(name + 1)?;
        match value {
            Ejson::Object(object) => self.take_object(object, levels),
            Ejson::Array(values) => {
                let below = levels.checked_sub(1)?;
                values.iter().try_for_each(|value| self.take_member(0, value, below))
            }
            Ejson::Custom(custom) => self.take_member(0, &custom.value, levels.checked_sub(1)?),
            Ejson::String(text) => self.take_bytes(text.len()),
            Ejson::Binary(bytes) => self.take_bytes(bytes.as_bytes().len()),
            Ejson::Regexp(regexp) => self.take_bytes(regexp.source().len() + regexp.flags().len()),
            Ejson::Null | Ejson::Bool(_) | Ejson::Number(_) | Ejson::Date(_) | Ejson::ObjectId(_) => Some(()),
        }
    }

    fn take_bytes(&mut self, count: usize) -> Option<()> {
        self.bytes = self.bytes.checked_sub(count)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fits(profile: &Value) -> bool {
        let profile = Ejson::from_typed(profile).unwrap();
        ProfileBounds::new(&Limits::default(), &Arc::default()).check(profile.as_object().unwrap()).is_ok()
    }

    fn members(count: usize) -> Value {
        Value::Object((0..count).map(|number| (format!("m{number}"), json!(number))).collect())
    }

    #[test]
    fn a_profile_is_bounded_in_bytes_members_and_levels() {
        assert!(fits(&json!({})));
        assert!(fits(&json!({ "name": "x".repeat(8_181) })));
        assert!(!fits(&json!({ "name": "x".repeat(8_182) })));
        assert!(!fits(&json!({ "name": "\u{1}".repeat(2_000) })), "as JSON it is larger");
        assert!(!fits(&json!({ "x".repeat(8_192): 1 })));
        assert!(fits(&members(64)));
        assert!(!fits(&members(65)));
        assert!(fits(&json!({ "list": vec![0; 63] })));
        assert!(!fits(&json!({ "list": vec![0; 64] })));
        assert!(fits(&json!({ "a": { "b": { "c": { "d": 1 } } } })));
        assert!(!fits(&json!({ "a": { "b": { "c": { "d": {} } } } })));
        assert!(!fits(&json!({ "a": [[[[1]]]] })));
    }
}
