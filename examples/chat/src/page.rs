//! The page of the chat: files that are served unchanged, with a strict Content-Security-Policy.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::routing::get;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The path, type and text of each file.
const FILES: [(&str, &str, &str); 9] = [
    ("/", HTML, include_str!("../page/index.html")),
    ("/style.css", CSS, include_str!("../page/style.css")),
    ("/chat.js", SCRIPT, include_str!("../page/chat.js")),
    ("/client.js", SCRIPT, include_str!("../page/client.js")),
    ("/element.js", SCRIPT, include_str!("../page/element.js")),
    ("/prompt.js", SCRIPT, include_str!("../page/prompt.js")),
    ("/room.js", SCRIPT, include_str!("../page/room.js")),
    ("/rooms.js", SCRIPT, include_str!("../page/rooms.js")),
    ("/typing.js", SCRIPT, include_str!("../page/typing.js")),
];

/// Scripts, styles and connections only from and to this server, and no text that becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// Returns the routes of the files.
pub(crate) fn router() -> Router {
    FILES.into_iter().fold(Router::new(), |router, (path, kind, text)| {
        let headers = [
            (CONTENT_TYPE, kind),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (CACHE_CONTROL, "no-cache"),
        ];
        router.route(path, get(move || std::future::ready((headers, text))))
    })
}
