//! Who is let in: the token, and the names by which this server may be called.

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode, Uri, uri::Authority};
use subtle::ConstantTimeEq;

use crate::answer::Refusal;
use crate::options::Options;

/// Lets a request in, or says why not.
///
/// A page in a browser can send requests to any address, this machine's included. Its `Origin` gives it away; and a page
/// that has its own name point to this machine, so that it is its own origin, by the `Host`.
pub(crate) fn check(options: &Options, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    // What most requests are like, without taking it apart.
    let is_plain = uri.authority().is_none() && options.token.is_none() && !headers.contains_key(ORIGIN);
    if is_plain && headers.get(HOST).is_some_and(|host| is_this_machine(host.as_bytes())) {
        return Ok(());
    }
    let host = host_of(uri, headers);
    let is_known = |name: &str| {
        let name = name.trim_matches(['[', ']']);
        ["localhost", "127.0.0.1", "::1"].contains(&name)
            || name.parse() == Ok(options.address.ip())
            || options.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
    };
    match host.as_ref().map(Authority::host) {
        // Who has the token is no such page, and an unspecified address has any name.
        _ if options.token.is_some() && options.allowed_hosts.is_empty() => {}
        Some(name) if is_known(name) => {}
        name => {
            let name = name.unwrap_or_default();
            let why = format!("this server is not called {name:?}; start it with that name among its hosts");
            return Err(Refusal::new(StatusCode::FORBIDDEN, why));
        }
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let own = host.as_ref().map(Authority::as_str);
        let is_own = origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == own);
        if !is_own && !options.allowed_origins.iter().any(|allowed| allowed == origin) {
            let why =
                format!("pages of {origin:?} may not call this server; start it with that origin allowed");
            return Err(Refusal::new(StatusCode::FORBIDDEN, why));
        }
    }
    // Whoever watches over the process needs no token to ask how it is.
    let is_open = matches!(uri.path(), "/healthz" | "/readyz");
    let Some(token) = options.token.as_ref().filter(|_| !is_open) else { return Ok(()) };
    let shown = headers.get(AUTHORIZATION).map(axum::http::HeaderValue::as_bytes);
    let shown = shown.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
    if bool::from(shown.ct_eq(token.bytes())) {
        return Ok(());
    }
    let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "send the token: `Authorization: Bearer TOKEN`");
    Err(refusal.with_header(WWW_AUTHENTICATE, "Bearer"))
}

/// Whether this is the usual name of the machine, perhaps with a port.
fn is_this_machine(host: &[u8]) -> bool {
    ["127.0.0.1", "localhost"].iter().any(|name| match host.strip_prefix(name.as_bytes()) {
        Some([]) => true,
        Some([b':', port @ ..]) => !port.is_empty() && port.iter().all(u8::is_ascii_digit),
        _ => false,
    })
}

fn host_of(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    if let Some(authority) = uri.authority() {
        return Some(authority.clone());
    }
    headers.get(HOST)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_of_this_machine_are_known_without_taking_them_apart() {
        for name in ["localhost", "127.0.0.1", "localhost:8080", "127.0.0.1:1"] {
            assert!(is_this_machine(name.as_bytes()), "{name}");
        }
        for other in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "127.0.0.11",
            "localhost:",
            "localhost:80@evil.example",
            "127.0.0.1:evil",
            " localhost",
        ] {
            assert!(!is_this_machine(other.as_bytes()), "{other}");
        }
    }
}
