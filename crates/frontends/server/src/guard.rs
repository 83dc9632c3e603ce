//! Who is let in: the token, and the names by which this server may be called.

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, uri::Authority};
use subtle::ConstantTimeEq;

use crate::answer::Refusal;
use crate::cors::allowed_origin;
use crate::options::Options;
use crate::view::is_page;

/// Lets a request in, or says why not.
///
/// A page in a browser can send requests to any address, this machine's included. Its `Origin` gives it away; and a page
/// that has its own name point to this machine, so that it is its own origin, by the `Host`.
pub(crate) fn check(options: &Options, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    // What most requests are like, without taking it apart.
    let is_plain = uri.authority().is_none() && options.token.is_none() && !headers.contains_key(ORIGIN);
    let mut hosts = headers.get_all(HOST).iter();
    let (named, again) = (hosts.next(), hosts.next());
    if is_plain && again.is_none() && named.is_some_and(|host| is_this_machine(host.as_bytes())) {
        return Ok(());
    }
    // Something on the way may have heeded the other one.
    for (name, is_twice) in [
        ("Host", again.is_some()),
        ("Origin", headers.get_all(ORIGIN).iter().nth(1).is_some()),
        ("Authorization", headers.get_all(AUTHORIZATION).iter().nth(1).is_some()),
    ] {
        if is_twice {
            return Err(Refusal::bad(format!("the request has more than one {name}")));
        }
    }
    let host = host_of(uri, named)?;
    if host.is_none() && options.token.is_none() {
        return Err(Refusal::bad("the request has no Host"));
    }
    let is_known = |name: &str| {
        let name = name.trim_matches(['[', ']']);
        ["localhost", "127.0.0.1", "::1"].iter().any(|own| own.eq_ignore_ascii_case(name))
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
        let is_own = origin
            .split_once("://")
            .is_some_and(|(_, page)| own.is_some_and(|own| own.eq_ignore_ascii_case(page)));
        if !is_own && allowed_origin(options, headers).is_none() {
            let why =
                format!("pages of {origin:?} may not call this server; start it with that origin allowed");
            return Err(Refusal::new(StatusCode::FORBIDDEN, why));
        }
    }
    // Whoever watches over the process needs no token to ask how it is.
    // The page of the live view holds nothing of the store, and a browser that opens it cannot send a token yet.
    let is_open =
        matches!(uri.path(), "/healthz" | "/readyz") || options.view.is_some() && is_page(uri.path());
    let Some(token) = options.token.as_ref().filter(|_| !is_open) else { return Ok(()) };
    let shown = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let shown = shown.and_then(bearer).unwrap_or_default();
    if bool::from(shown.ct_eq(token.bytes())) {
        return Ok(());
    }
    let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "send the token: `Authorization: Bearer TOKEN`");
    Err(refusal.with_header(WWW_AUTHENTICATE, "Bearer"))
}

/// Whether this is the usual name of the machine, perhaps with a port.
fn is_this_machine(host: &[u8]) -> bool {
    ["127.0.0.1", "localhost"].iter().any(|name| match host.split_at_checked(name.len()) {
        Some((begin, rest)) if begin.eq_ignore_ascii_case(name.as_bytes()) => match rest {
            [] => true,
            [b':', port @ ..] => is_port(port),
            _ => false,
        },
        _ => false,
    })
}

fn is_port(digits: &[u8]) -> bool {
    let number = || digits.iter().fold(0_u32, |number, digit| 10 * number + u32::from(digit - b'0'));
    let is_number = (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    is_number && u16::try_from(number()).is_ok()
}

/// The token behind the name of the scheme, which may be written in any case and with more than one space behind it.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii_start())
}

/// The name by which the server is called, and perhaps the port.
fn host_of(uri: &Uri, named: Option<&HeaderValue>) -> Result<Option<Authority>, Refusal> {
    let bad = |host: &str| Refusal::bad(format!("the Host {host:?} is no name with or without a port"));
    let host = match (uri.authority(), named) {
        (Some(authority), _) => authority.clone(),
        (None, Some(named)) if !named.is_empty() => {
            let name = named.to_str().map_err(|_| bad("…"))?;
            name.parse().map_err(|_| bad(name))?
        }
        _ => return Ok(None),
    };
    let has_port = host.as_str().len() > host.host().len();
    let port = host.as_str().strip_prefix(host.host()).and_then(|rest| rest.strip_prefix(':'));
    if has_port && !port.is_some_and(|port| is_port(port.as_bytes())) || host.as_str().contains('@') {
        return Err(bad(host.as_str()));
    }
    Ok(Some(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_of_this_machine_are_known_without_taking_them_apart() {
        for name in
            ["localhost", "127.0.0.1", "localhost:8080", "127.0.0.1:65535", "LOCALHOST", "LocalHost:80"]
        {
            assert!(is_this_machine(name.as_bytes()), "{name}");
        }
        for other in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "127.0.0.11",
            "localhost:",
            "localhost:65536",
            "localhost:655360000000",
            "LOCALHOST.evil.example",
            "localhost:80@evil.example",
            "127.0.0.1:evil",
            " localhost",
        ] {
            assert!(!is_this_machine(other.as_bytes()), "{other}");
        }
    }
}
