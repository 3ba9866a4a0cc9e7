//! [`MethodSummary`]: a registered method or endpoint with its policy and its counts, for lists.

use super::{Method, MethodCounts, TwoFactor};

/// A registered method or endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MethodSummary {
    /// How it is called.
    pub kind: MethodKind,
    /// The method's name, or the endpoint's path below `/api/v1`.
    pub name: String,
    /// Its policy.
    pub policy: TwoFactor,
    /// Its calls that clients made.
    pub counts: MethodCounts,
}

/// How something is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MethodKind {
    /// As a method over DDP, or by `method.call`.
    Method,
    /// As an endpoint for `GET`.
    Get,
    /// As an endpoint for `POST`.
    Post,
    /// As an endpoint for `PUT`.
    Put,
    /// As an endpoint for `PATCH`.
    Patch,
    /// As an endpoint for `DELETE`.
    Delete,
}

impl MethodSummary {
    pub(crate) fn new(method: &Method) -> Self {
        Self {
            kind: method.kind,
            name: method.name.to_string(),
            policy: method.policy,
            counts: method.statistics.counts(),
        }
    }
}

impl MethodKind {
    /// Returns the HTTP verb of an endpoint. `None` for a method.
    #[must_use]
    pub const fn verb(self) -> Option<&'static str> {
        match self {
            Self::Method => None,
            Self::Get => Some("GET"),
            Self::Post => Some("POST"),
            Self::Put => Some("PUT"),
            Self::Patch => Some("PATCH"),
            Self::Delete => Some("DELETE"),
        }
    }
}
