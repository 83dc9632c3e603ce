//! The page: HTML, style and JavaScript, within the binary.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::Response;

use crate::answer::{Refusal, with_type};

/// Nothing but what comes from this server, and no script within the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page: its path, its type, what is in it.
type Asset = (&'static str, &'static str, &'static str);

const ASSETS: [Asset; 10] = [
    ("/view", "text/html; charset=utf-8", include_str!("assets/view.html")),
    ("/view/view.css", "text/css; charset=utf-8", include_str!("assets/view.css")),
    ("/view/icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ("/view/main.js", JAVASCRIPT, include_str!("assets/main.js")),
    ("/view/server.js", JAVASCRIPT, include_str!("assets/server.js")),
    ("/view/head.js", JAVASCRIPT, include_str!("assets/head.js")),
    ("/view/picture.js", JAVASCRIPT, include_str!("assets/picture.js")),
    ("/view/motion.js", JAVASCRIPT, include_str!("assets/motion.js")),
    ("/view/bytes.js", JAVASCRIPT, include_str!("assets/bytes.js")),
    ("/view/words.js", JAVASCRIPT, include_str!("assets/words.js")),
];

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Whether this is the path of a file of the page. They show nothing of the store.
pub(crate) fn is_page(path: &str) -> bool {
    ASSETS.iter().any(|(own, ..)| *own == path)
}

pub(super) async fn page(uri: Uri) -> Result<Response, Refusal> {
    let asset = ASSETS.iter().find(|(path, ..)| *path == uri.path());
    let (_, kind, text) = asset.ok_or_else(|| Refusal::not_found("the live view has no such file"))?;
    let mut response = with_type(StatusCode::OK, kind, *text);
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}
