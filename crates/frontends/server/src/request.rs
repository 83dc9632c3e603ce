//! Reading a request: its key, its parameters, its body, each within its limits.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderMap, StatusCode, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;

use crate::answer::Refusal;
use crate::options::Options;

/// The key behind `prefix` in the path, with each `%xx` as the byte it stands for. It may hold any byte, and `/` as it
/// is.
pub(crate) fn key_after<'u>(uri: &'u Uri, prefix: &str) -> Result<Cow<'u, [u8]>, Refusal> {
    decode(uri.path().strip_prefix(prefix).unwrap_or_default())
}

/// The bytes that `text` stands for. A `%` that begins nothing is refused: another program may read it otherwise.
pub(crate) fn decode(text: &str) -> Result<Cow<'_, [u8]>, Refusal> {
    let is_digit = |digit: Option<&u8>| digit.is_some_and(u8::is_ascii_hexdigit);
    for place in memchr::memchr_iter(b'%', text.as_bytes()) {
        let mut behind = text.as_bytes()[place + 1..].iter();
        if !is_digit(behind.next()) || !is_digit(behind.next()) {
            return Err(Refusal::bad("% stands before two hexadecimal digits; the letter itself is %25"));
        }
    }
    Ok(percent_decode_str(text).into())
}

/// The largest number that a parameter may have: numbers in other languages often end there.
pub(crate) const LARGEST_NUMBER: u64 = i64::MAX as u64;

/// The value of a parameter. Browsers and programs that fill in forms write a space as `+`, and a plus as `%2B`.
fn decoded_value(text: &str) -> Result<Cow<'_, [u8]>, Refusal> {
    if text.contains('+') {
        return Ok(decode(&text.replace('+', " "))?.into_owned().into());
    }
    decode(text)
}

/// What stands behind the `?`.
#[derive(Debug)]
pub(crate) struct Parameters<'u>(Vec<(&'u str, Cow<'u, [u8]>)>);

impl<'u> Parameters<'u> {
    /// Takes them apart. One that is not among `known` is refused, rather than to ignore a misspelt `?sync=true`.
    pub(crate) fn read(uri: &'u Uri, known: &[&str]) -> Result<Self, Refusal> {
        let mut found: Vec<(&str, Cow<'_, [u8]>)> = Vec::new();
        for part in uri.query().unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if !known.contains(&name) {
                let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(Refusal::bad(format!("unknown parameter {name:?}; known here: {list}")));
            }
            if found.iter().any(|(earlier, _)| *earlier == name) {
                return Err(Refusal::bad(format!("the parameter {name:?} is given twice")));
            }
            found.push((name, decoded_value(value)?));
        }
        Ok(Self(found))
    }

    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, value)| &**value)
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let text = self.bytes(name).map(str::from_utf8).transpose();
        text.map_err(|_| Refusal::bad(format!("the parameter {name:?} is not UTF-8")))
    }

    /// `?name`, `?name=true` and `?name=false`.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.text(name)? {
            Some("" | "true" | "1") => Ok(true),
            None | Some("false" | "0") => Ok(false),
            Some(other) => Err(Refusal::bad(format!("{name}={other}: say true or false"))),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let number = if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None };
        match number.filter(|number| *number <= LARGEST_NUMBER) {
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::bad(format!("{name}={text}: not a whole number up to {LARGEST_NUMBER}"))),
        }
    }

    /// A limit between 1 and `most`.
    pub(crate) fn limit(&self, usual: usize, most: usize) -> Result<usize, Refusal> {
        let Some(number) = self.number("limit")? else { return Ok(usual) };
        match usize::try_from(number) {
            Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
            _ => Err(Refusal::bad(format!("limit={number}: it must be between 1 and {most}"))),
        }
    }
}

/// The whole body, if it is not too long and comes in time.
pub(crate) async fn body(options: &Options, headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    if headers
        .get_all(TRANSFER_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        let why = "of the transfer encodings only `chunked` is understood; nothing was written";
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, why).closing());
    }
    let limit = options.max_body_bytes;
    let too_long = || {
        let why = format!("the body is longer than {limit} bytes; nothing was written");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, why).closing()
    };
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(too_long());
    }
    match tokio::time::timeout(options.body_timeout, Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_long()),
        Ok(Err(error)) => Err(Refusal::bad(format!("the body broke off: {error}")).closing()),
        Err(_) => {
            let why = format!("the body took longer than {:?}; nothing was written", options.body_timeout);
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, why).closing())
        }
    }
}
