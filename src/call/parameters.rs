//! [`Parameters`]: the parameters of a call, raw until the handler's types read them.

use std::fmt;

use bolide_protocol::ejson::{self, CustomTypes};
use bolide_protocol::two_factor::TwoFactorCode;
use bolide_protocol::{DdpError, Ejson, RawJson};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The parameters of a call. A handler that takes `Parameters` accepts any number of any type. `Debug` omits the values,
/// since passwords and codes are parameters.
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
    /// Creates parameters from a tuple, an array or a `Vec` of Rust values.
    ///
    /// # Errors
    /// Returns an error if `values` cannot be encoded as an EJSON array.
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

    /// Returns the number of parameters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns whether there are no parameters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Decodes the parameter at `index`. A missing parameter is decoded as `null`.
    ///
    /// # Errors
    /// Returns 400, `Match failed`, if the parameter cannot be decoded as a `T`.
    pub fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T, DdpError> {
        let text = self.values.get(index).map_or("null", RawJson::get);
        ejson::from_str(text, &self.types).map_err(|_| DdpError::match_failed())
    }

    /// Decodes all parameters as EJSON values.
    ///
    /// # Errors
    /// Returns 400, `Match failed`, if one of them is malformed.
    pub fn to_ejson(&self) -> Result<Vec<Ejson>, DdpError> {
        (0..self.len()).map(|index| self.get(index)).collect()
    }

    /// Removes the two-factor code, if the last parameter is one, and returns it.
    pub(crate) fn take_two_factor_code(&mut self) -> Option<TwoFactorCode> {
        let code = TwoFactorCode::from_parameter(self.values.last()?)?;
        self.values.pop();
        Some(code)
    }

    /// Appends a two-factor code, as a client does.
    #[cfg(feature = "accounts")]
    pub(crate) fn push_two_factor_code(&mut self, code: &TwoFactorCode) -> Result<(), ejson::EncodeError> {
        self.values.push(ejson::to_raw(&code.to_parameter())?);
        Ok(())
    }

    /// Drops what published clients append to calls that need no code: `""`, `null`, or an old code. Parameters that the
    /// handler declares are kept.
    pub(crate) fn drop_spares(&mut self, declared: usize) {
        while self.values.len() > declared && self.values.last().is_some_and(is_spare) {
            self.values.pop();
        }
    }
}

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
