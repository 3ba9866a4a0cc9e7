//! [`Custom`]: values of an application's own EJSON types, and [`CustomTypes`], the set of registered types.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Ejson, object_id};

/// A value of a custom type: `{"$type":"Decimal","$value":"1.5"}`.
///
/// ```
/// use bolide_protocol::Ejson;
/// use bolide_protocol::ejson::{Custom, CustomTypes};
///
/// let types = CustomTypes::default().with("Decimal");
/// let value = Ejson::parse(r#"{"$type":"Decimal","$value":"1.5"}"#, &types)?;
/// assert_eq!(value, Ejson::from(Custom::new("Decimal", "1.5")));
/// # Ok::<(), bolide_protocol::ejson::DecodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Custom {
    /// The name of the type.
    pub type_name: String,
    /// The value as encoded by its type: plain JSON, in which `{"$date":0}` is an ordinary object.
    pub value: Ejson,
}

impl Custom {
    /// Creates a value of the type `type_name`.
    #[must_use]
    pub fn new(type_name: impl Into<String>, value: impl Into<Ejson>) -> Self {
        Self { type_name: type_name.into(), value: value.into() }
    }
}

/// The custom types that an application registers. Reading a value of another type fails. `oid` is always registered. Clones
/// share the names.
///
/// ```
/// use bolide_protocol::ejson::CustomTypes;
///
/// let types = CustomTypes::default().with("Decimal");
/// assert!(types.contains("Decimal") && types.contains("oid"));
/// assert!(!types.contains("Money"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomTypes(Option<Arc<BTreeSet<String>>>);

impl CustomTypes {
    /// Adds a type, for chaining.
    #[must_use]
    pub fn with(mut self, type_name: impl Into<String>) -> Self {
        self.register(type_name);
        self
    }

    /// Adds a type.
    pub fn register(&mut self, type_name: impl Into<String>) {
        Arc::make_mut(self.0.get_or_insert_default()).insert(type_name.into());
    }

    /// Returns whether values of the type are accepted.
    #[must_use]
    pub fn contains(&self, type_name: &str) -> bool {
        type_name == object_id::TYPE_NAME || self.0.as_ref().is_some_and(|names| names.contains(type_name))
    }
}

/// The custom types that a decoder accepts.
#[derive(Clone, Copy)]
pub(super) enum Registered<'a> {
    /// All types, because the caller has no list: `serde_json::from_str::<Ejson>`.
    Any,
    Only(&'a CustomTypes),
}

impl Registered<'_> {
    pub(super) fn contains(self, type_name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(types) => types.contains(type_name),
        }
    }
}
