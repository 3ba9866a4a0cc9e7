//! [`RelyingParty`]: the domain to which credentials belong, and the origins of the pages that may use them.

use http::Uri;

/// The domain to which passkeys belong, and the origins of the pages (and apps) on which they may be used.
///
/// ```
/// use bolide::accounts::RelyingParty;
///
/// let usual = RelyingParty::of_root_url("https://chat.example.com/app")?;
/// assert_eq!((usual.id(), usual.origins()), ("chat.example.com", &["https://chat.example.com".to_owned()][..]));
/// // One passkey for several sites of a domain.
/// RelyingParty::new("example.com", ["https://chat.example.com", "https://shop.example.com"])?;
/// assert!(RelyingParty::of_root_url("http://192.0.2.1:3000").is_err());
/// # Ok::<(), bolide::accounts::InvalidRelyingParty>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    id: String,
    origins: Vec<String>,
}

/// Why passkeys cannot be used at an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRelyingParty {
    /// The id is not a domain.
    #[error("passkeys belong to a domain, and `{0}` is none; set the root URL to one with a domain")]
    Domain(String),
    /// An origin cannot use credentials of the domain.
    #[error(
        "`{origin}` cannot use passkeys of `{id}`: it must be https (or http at localhost), of that domain or below it"
    )]
    Origin {
        /// The origin.
        origin: String,
        /// The domain.
        id: String,
    },
    /// There is no origin.
    #[error("passkeys need at least one origin on which they may be used")]
    NoOrigin,
}

impl RelyingParty {
    /// Returns a relying party with a domain as its id. The origins are those of pages, such as `https://chat.example.com`,
    /// at the domain or below it; or those of apps, such as `android:apk-key-hash:…`.
    ///
    /// # Errors
    /// [`InvalidRelyingParty`].
    pub fn new<Origin: Into<String>>(
        id: &str,
        origins: impl IntoIterator<Item = Origin>,
    ) -> Result<Self, InvalidRelyingParty> {
        let id = id.to_ascii_lowercase();
        if !is_domain(&id) {
            return Err(InvalidRelyingParty::Domain(id));
        }
        let check = |origin: String| match is_allowed(&origin, &id) {
            Some(origin) => Ok(origin),
            None => Err(InvalidRelyingParty::Origin { origin, id: id.clone() }),
        };
        let origins = origins.into_iter().map(|origin| check(origin.into())).collect::<Result<Vec<_>, _>>()?;
        if origins.is_empty() { Err(InvalidRelyingParty::NoOrigin) } else { Ok(Self { id, origins }) }
    }

    /// Returns the relying party of a site with this URL: its domain, and its origin.
    ///
    /// # Errors
    /// [`InvalidRelyingParty`].
    pub fn of_root_url(url: &str) -> Result<Self, InvalidRelyingParty> {
        let (id, origin) = host_and_origin(url).ok_or_else(|| InvalidRelyingParty::Domain(url.to_owned()))?;
        Self::new(&id, [origin])
    }

    /// Returns the id, which is a domain.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the origins.
    #[must_use]
    pub fn origins(&self) -> &[String] {
        &self.origins
    }

    pub(super) fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|own| own == origin)
    }
}

/// Returns an origin as browsers write it, if it may use credentials of the domain.
fn is_allowed(origin: &str, id: &str) -> Option<String> {
    if origin.starts_with("android:apk-key-hash:") || origin.starts_with("ios:bundle-id:") {
        return Some(origin.to_owned());
    }
    let (host, origin) = host_and_origin(origin)?;
    let is_below = host == id || host.strip_suffix(id).is_some_and(|rest| rest.ends_with('.'));
    let is_secure = origin.starts_with("https://") || host == "localhost" || host.ends_with(".localhost");
    (is_below && is_secure).then_some(origin)
}

/// Returns the host of a URL and its origin, both in lower case and without a default port.
fn host_and_origin(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let default = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let host = authority.host().to_ascii_lowercase();
    let port = authority.port_u16().filter(|port| *port != default);
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let origin = format!("{scheme}://{host}{port}");
    Some((host, origin))
}

/// Returns whether a host is a domain and not an address.
fn is_domain(host: &str) -> bool {
    let is_label = |label: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.len() < 64 && label.bytes().all(is_allowed)
    };
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    host.len() < 254 && host.split('.').all(is_label) && !host.rsplit('.').next().is_some_and(is_number)
}
