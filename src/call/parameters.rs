//! [`Parameters`]: what a client sent along with a call, raw until the handler's types read it.

use std::fmt;

use bolide_protocol::ejson::{self, CustomTypes};
use bolide_protocol::two_factor::TwoFactorCode;
use bolide_protocol::{DdpError, Ejson, RawJson};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The parameters of a call. As a handler's only parameter it takes whatever the client sends. `Debug` leaves the values
/// out: passwords and codes are parameters.
///
/// ```
/// use bolide::call::Parameters;
///
/// let parameters = Parameters::from_values(&("xyz", 1))?;
/// assert_eq!(parameters.len(), 2);
/// assert_eq!(parameters.get::<String>(0)?, "xyz");
/// assert_eq!(parameters.get::<Option<String>>(2)?, None);
/// assert!(!format!("{parameters:?}").contains("xyz"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Parameters {
    values: Vec<RawJson>,
    types: CustomTypes,
}

impl Parameters {
    /// Parameters from a tuple, an array or a `Vec` of Rust values.
    ///
    /// # Errors
    /// When `values` cannot be written as an EJSON array.
    pub fn from_values(values: &impl Serialize) -> Result<Self, ejson::EncodeError> {
        let raw = ejson::to_raw(values)?;
        // A tuple of no values, `()`, is written as null.
        let values = if raw.get() == "null" { Vec::new() } else { raw.elements().ok_or_else(not_an_array)? };
        Ok(Self { values, types: CustomTypes::default() })
    }

    pub(crate) fn from_message(params: Option<&RawJson>) -> Self {
        Self { values: params.and_then(RawJson::elements).unwrap_or_default(), types: CustomTypes::default() }
    }

    /// Has the values read with the app's custom EJSON types. Every call does so before its handler reads them.
    pub(crate) fn set_types(&mut self, types: &CustomTypes) {
        self.types = types.clone();
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The parameter at `index`, typed. One that is missing reads as `null`.
    ///
    /// # Errors
    /// 400, `Match failed`, when it is not a `T`.
    pub fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T, DdpError> {
        let text = self.values.get(index).map_or("null", RawJson::get);
        ejson::from_str(text, &self.types).map_err(|_| DdpError::match_failed())
    }

    /// All of them, untyped.
    ///
    /// # Errors
    /// 400, `Match failed`, when one of them is no EJSON.
    pub fn to_ejson(&self) -> Result<Vec<Ejson>, DdpError> {
        (0..self.len()).map(|index| self.get(index)).collect()
    }

    /// Takes the code of a second factor out of the last parameter, if it is there.
    pub(crate) fn take_two_factor_code(&mut self) -> Option<TwoFactorCode> {
        let code = TwoFactorCode::from_parameter(self.values.last()?)?;
        self.values.pop();
        Some(code)
    }

    /// Appends the code of a second factor, as a client does.
    #[cfg(feature = "accounts")]
    pub(crate) fn push_two_factor_code(&mut self, code: &TwoFactorCode) -> Result<(), ejson::EncodeError> {
        self.values.push(ejson::to_raw(&code.to_parameter())?);
        Ok(())
    }

    /// Drops what clients in the wild append to calls that ask for nothing: `""`, `null`, or an old code. What the
    /// handler declares is never dropped.
    pub(crate) fn drop_spares(&mut self, declared: usize) {
        while self.values.len() > declared && self.values.last().is_some_and(is_spare) {
            self.values.pop();
        }
    }
}

/// Passwords and codes are parameters, so no values.
impl fmt::Debug for Parameters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Parameters").field("len", &self.len()).finish_non_exhaustive()
    }
}

fn is_spare(value: &RawJson) -> bool {
    matches!(value.get(), "\"\"" | "null") || TwoFactorCode::from_parameter(value).is_some()
}

fn not_an_array() -> ejson::EncodeError {
    serde::ser::Error::custom("parameters must be a tuple or a list")
}
