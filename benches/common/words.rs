//! The words of a command line, taken one after another.

use std::str::FromStr;
use std::time::Duration;

use crate::Failure;

pub(crate) struct Words(pub(crate) std::vec::IntoIter<String>);

impl Words {
    pub(crate) fn value(&mut self, option: &str) -> Result<String, Failure> {
        self.0.next().ok_or_else(|| format!("`{option}` lacks a value").into())
    }

    pub(crate) fn number<T: FromStr>(&mut self, option: &str) -> Result<T, Failure> {
        let value = self.value(option)?;
        value.parse().map_err(|_| format!("`{option}` does not take `{value}`").into())
    }

    pub(crate) fn duration(&mut self, option: &str) -> Result<Duration, Failure> {
        Ok(Duration::try_from_secs_f64(self.number(option)?)?)
    }
}
