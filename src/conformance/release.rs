//! [`Release`]: a version of Meteor or Rocket.Chat, since which a rule holds or which a server corresponds to.

use std::fmt;
use std::str::FromStr;

/// A product of which several versions exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Product {
    /// Meteor.
    Meteor,
    /// Rocket.Chat.
    RocketChat,
}

/// A version of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The product.
    pub product: Product,
    /// The numbers of the version, such as `[3, 4, 1]`, without zeros at the end.
    pub version: Vec<u32>,
}

impl Release {
    /// Reads a release from the name of its product and the text of its version, such as `3.4.1`.
    ///
    /// # Errors
    /// Returns an error if the product is unknown or the version does not consist of numbers.
    pub fn new(product: &str, version: &str) -> Result<Self, String> {
        let numbers: Result<Vec<u32>, _> = version.split('.').map(str::parse).collect();
        let mut numbers = numbers.map_err(|_| format!("`{version}` is not a version; a version has the form 3.4.1"))?;
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        Ok(Self { product: product.parse()?, version: numbers })
    }
}

/// Reads the form of files: `meteor 3.4.1`.
impl FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(' ') {
            Some((product, version)) => Self::new(product, version),
            None => Err(format!("`{text}` is not a release; a release has the form `meteor 3.4.1`")),
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.version.iter().map(ToString::to_string).collect();
        write!(formatter, "{} {}", self.product.name(), numbers.join("."))
    }
}

impl Product {
    const fn name(self) -> &'static str {
        match self {
            Self::Meteor => "meteor",
            Self::RocketChat => "rocketchat",
        }
    }
}

impl FromStr for Product {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "meteor" => Ok(Self::Meteor),
            "rocketchat" => Ok(Self::RocketChat),
            other => Err(format!("`{other}` is not a product with versions; these are meteor and rocketchat")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Release;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let version = |text: &str| Release::new("meteor", text).unwrap().version;
        assert!(version("3.4") < version("3.4.1"));
        assert!(version("3.4.1") < version("3.10"));
        assert_eq!(version("3.0"), version("3"));
    }

    #[test]
    fn malformed_releases_are_rejected() {
        assert!("meteor".parse::<Release>().unwrap_err().contains("the form `meteor 3.4.1`"));
        assert!("meteor three".parse::<Release>().unwrap_err().contains("`three` is not a version"));
        assert!("bolide 1".parse::<Release>().unwrap_err().contains("these are meteor and rocketchat"));
    }
}
