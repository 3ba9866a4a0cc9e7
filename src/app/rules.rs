//! What can be replaced while an [`App`] serves: the rules about proxies and about the origins of pages.

use std::sync::Arc;

use crate::call::App;
use crate::error::BuildError;
use crate::transport::origins::{AllowedOrigin, Origins};
use crate::transport::proxies::{Proxies, TrustedProxy};
use crate::transport::server::Http;

impl App {
    /// Replaces what [`forwarded_count`](crate::AppBuilder::forwarded_count) and
    /// [`trusted_proxy`](crate::AppBuilder::trusted_proxy) have set, while the app serves. It holds for the next request of
    /// each connection. Sessions keep the address that they were opened with, and an open connection counts for the limits
    /// as it did when it was accepted.
    ///
    /// # Errors
    /// Returns [`BuildError::TwoProxyRules`] if there is a number of proxies and trusted proxies too. Then nothing changes.
    pub fn replace_proxies(
        &self,
        forwarded_count: usize,
        trusted: impl IntoIterator<Item = TrustedProxy>,
    ) -> Result<(), BuildError> {
        let proxies = Proxies::new(forwarded_count, trusted.into_iter().collect())?;
        if let Some(http) = self.core().slot::<Http>() {
            http.proxies.store(Arc::new(proxies));
        }
        Ok(())
    }

    /// Replaces what [`allowed_origin`](crate::AppBuilder::allowed_origin) has set, while the app serves. No origins stand for
    /// all. Open sessions go on, but for those over HTTP requests (SockJS without WebSocket), each of which is checked.
    pub fn replace_allowed_origins(&self, origins: impl IntoIterator<Item = AllowedOrigin>) {
        if let Some(http) = self.core().slot::<Http>() {
            http.origins.store(Arc::new(Origins::new(origins.into_iter().collect())));
        }
    }
}
