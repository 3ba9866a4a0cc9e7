//! [`Parameters`]: the parameters of a call, raw until the handler's types read them.

use std::fmt;

use bolide_protocol::ejson::{self, CustomTypes};
use bolide_protocol::message::ParamsInFrame;
use bolide_protocol::two_factor::TwoFactorCode;
use bolide_protocol::{DdpError, Ejson, Elements, RawJson};
use bytestring::ByteString;
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
    /// The text that the parameters are parts of, as it was sent.
    text: ByteString,
    /// The places of the parameters in the text, without those that were removed.
    places: Elements,
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
        if raw.get() == "null" { Ok(Self::default()) } else { Self::of_array(&raw).ok_or_else(not_an_array) }
    }

    pub(crate) fn from_message(params: Option<RawJson>) -> Self {
        params.and_then(|array| Self::of_array(&array)).unwrap_or_default()
    }

    fn of_array(array: &RawJson) -> Option<Self> {
        let places = Elements::of_array(array.get(), 0..array.get().len())?;
        Some(Self { text: array.text().clone(), places, types: CustomTypes::default() })
    }

    /// Returns the parameters of a frame. The frame becomes their text.
    pub(crate) fn in_frame(frame: ByteString, params: ParamsInFrame) -> Self {
        Self { text: frame, places: params.into_elements(), types: CustomTypes::default() }
    }

    /// Has the values read with the app's custom EJSON types. Every call does so before its handler reads them.
    pub(crate) fn set_types(&mut self, types: &CustomTypes) {
        self.types = types.clone();
    }

    /// Returns the number of parameters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns whether there are no parameters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Decodes the parameter at `index`. A missing parameter is decoded as `null`.
    ///
    /// # Errors
    /// Returns 400, `Match failed`, if the parameter cannot be decoded as a `T`.
    pub fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T, DdpError> {
        ejson::from_str(self.json(index).unwrap_or("null"), &self.types).map_err(|_| DdpError::match_failed())
    }

    /// Decodes all parameters as EJSON values.
    ///
    /// # Errors
    /// Returns 400, `Match failed`, if one of them is malformed.
    pub fn to_ejson(&self) -> Result<Vec<Ejson>, DdpError> {
        (0..self.len()).map(|index| self.get(index)).collect()
    }

    /// Returns the JSON text of the parameter at `index`.
    fn json(&self, index: usize) -> Option<&str> {
        self.text.get(self.places.get(index)?)
    }

    fn last(&self) -> Option<&str> {
        self.json(self.len().checked_sub(1)?)
    }

    /// Removes the two-factor code, if the last parameter is one, and returns it.
    pub(crate) fn take_two_factor_code(&mut self) -> Option<TwoFactorCode> {
        let code = TwoFactorCode::from_parameter(self.last()?)?;
        self.places.pop();
        Some(code)
    }

    /// Drops what published clients append to calls that need no code: `""`, `null`, or an old code. Parameters that the
    /// handler declares are kept.
    pub(crate) fn drop_spares(&mut self, declared: usize) {
        while self.len() > declared && self.last().is_some_and(is_spare) {
            self.places.pop();
        }
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Parameters").field("len", &self.len()).finish_non_exhaustive()
    }
}

fn is_spare(value: &str) -> bool {
    matches!(value, "\"\"" | "null") || TwoFactorCode::from_parameter(value).is_some()
}

fn not_an_array() -> ejson::EncodeError {
    serde::ser::Error::custom("parameters must be a tuple or a list")
}
