//! The web pages: an account page for users, an admin panel, and `bolide.js`, the client that both use.
//!
//! The files in this directory are served unchanged, without a build step or a framework. `rust-embed` embeds them in
//! the program, with a hash of each file for its `ETag`. A debug build reads the files at each request, so that pages
//! can be edited without recompiling. [`AppBuilder::web_pages`](crate::AppBuilder::web_pages) mounts them.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use data_encoding::HEXLOWER;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, LOCATION, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use rust_embed::{Embed, EmbeddedFile};

use crate::accounts::AccountsCore;
use crate::settings::WEB_PAGES;

const INDEX: &str = "index.html";

/// The headers of every answer. Scripts and styles are loaded only from this server, and text never becomes markup:
/// `trusted-types` disables the APIs that could do so. `'self'` includes the WebSocket to the same host.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    // Pages of other origins that open these, or are opened by them, get no handle of the window.
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    // Cached, but revalidated each time, so that a new version takes effect at once.
    (CACHE_CONTROL, "no-cache"),
];

/// Has browsers use only HTTPS for a year. Sent if the public URL of the server begins with `https`.
const HTTPS_ONLY: &str = "max-age=31536000";

/// Kept in a slot of an app that serves the pages.
pub(crate) struct WebPages;

#[derive(Embed)]
#[folder = "src/web"]
#[include = "*.html"]
#[include = "*.css"]
#[include = "*.js"]
#[include = "*.d.ts"]
#[include = "*.svg"]
struct Files;

/// Returns the routes below the app's path prefix: one per file, so that other paths stay free.
pub(crate) fn router(prefix: &str, accounts: &Arc<AccountsCore>) -> Router {
    let mut router = Router::new().route(&format!("{prefix}/"), page(accounts, INDEX.to_owned()));
    for path in Files::iter().filter(|path| path != INDEX) {
        router = router.route(&format!("{prefix}/{path}"), page(accounts, path.into_owned()));
    }
    if prefix.is_empty() {
        return router;
    }
    // The page uses relative addresses, so its own address must end with a slash.
    let directory = format!("{prefix}/");
    router.route(prefix, get(move || std::future::ready(redirect(&directory))))
}

fn page(accounts: &Arc<AccountsCore>, path: String) -> axum::routing::MethodRouter {
    let accounts = Arc::clone(accounts);
    get(move |request: Request| {
        let is_served = is_client(&path) || accounts.settings.get(&WEB_PAGES);
        let file = Files::get(&path).filter(|_| is_served);
        let mut response = file.map_or_else(not_found, |file| answer(&path, file, request.headers()));
        if accounts.mails.site().root_url.starts_with("https://") {
            response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HTTPS_ONLY));
        }
        std::future::ready(response)
    })
}

/// Returns whether a file belongs to `bolide.js`, which an application's own pages may need.
fn is_client(path: &str) -> bool {
    path.starts_with("bolide.") || path.starts_with("bolide/")
}

fn answer(path: &str, file: EmbeddedFile, asked: &HeaderMap) -> Response<Body> {
    let tag = entity_tag(&file);
    let is_known =
        asked.get(IF_NONE_MATCH).and_then(|known| known.to_str().ok()).is_some_and(|known| matches(known, &tag));
    let mut response = if is_known {
        with_status(StatusCode::NOT_MODIFIED, Body::empty())
    } else {
        with_status(StatusCode::OK, Body::from(file.data.into_owned()))
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

fn not_found() -> Response<Body> {
    let mut response = with_status(StatusCode::NOT_FOUND, Body::from("Not found"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn redirect(to: &str) -> Response<Body> {
    let mut response = with_status(StatusCode::PERMANENT_REDIRECT, Body::empty());
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}

fn with_status(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().extend(HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

/// Returns the quoted hash of the content.
fn entity_tag(file: &EmbeddedFile) -> String {
    format!("\"{}\"", HEXLOWER.encode(&file.metadata.sha256_hash()))
}

/// Returns whether `If-None-Match` contains the tag. Proxies that compress turn it into a weak tag.
fn matches(known: &str, tag: &str) -> bool {
    known.split(',').map(str::trim).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_matches_among_others_and_as_a_weak_tag() {
        assert!(matches("\"b\", W/\"a\"", "\"a\""));
        assert!(!matches("\"b\"", "\"a\""));
    }

    #[test]
    fn only_the_pages_are_served() {
        assert!(Files::get("mod.rs").is_none());
        assert!(Files::get(INDEX).is_some());
        assert!(Files::get("bolide/connection.js").is_some());
    }
}
