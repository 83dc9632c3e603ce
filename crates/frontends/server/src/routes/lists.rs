//! Many keys at once: `GET /v1/keys` and `POST /v1/batch`.

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
use logladder_engine::{Batch, Direction, Iterate, Ordered, range_of_prefix};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::plain::{decoded_key, decoded_value};
use crate::answer::{Problem, Refusal, json, raw};
use crate::app::App;
use crate::capability::Capability;
use crate::document::{
    Cursor, JsonKey, KeysLimit, Prefix, RefusedBody, RefusedFull, RefusedRequest, RefusedWrite, Synced,
};
use crate::entry::Conditions;
use crate::json::{Object, parse};
use crate::request::{self, Parameters};

/// How many keys a page has at most, and about how many bytes of them.
pub(crate) const MOST_KEYS: usize = 1000;
const MOST_BYTES: usize = 4 << 20;

/// One page of keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeysBody {
    /// In the order of their bytes.
    #[schema(value_type = Vec<JsonKey>)]
    keys: Vec<Box<RawValue>>,
    /// What to send as `cursor` for the next page; none behind the last one.
    cursor: Option<String>,
}

/// The keys that begin with `prefix`, a page at a time, in the order of their bytes. A stage that has its keys in order reads
/// those of the page, as they are at one moment; in the others each page is a walk over all keys of the store that keeps as
/// many as a page has. Keys that are there all the while are shown once; others may be missed.
#[utoipa::path(get, path = "/v1/keys", operation_id = "list_keys", tag = "raw bytes",
    params(Prefix, KeysLimit, Cursor),
    responses((status = 200, description = "a page of keys", body = KeysBody),
        (status = 501, description = "the stage cannot list its keys", body = Problem), RefusedRequest))]
pub(crate) async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    let parameters = Parameters::read(&uri, &["prefix", "limit", "cursor"])?;
    let prefix = parameters.bytes("prefix").unwrap_or_default().to_vec();
    let limit = parameters.limit(100, MOST_KEYS)?;
    let from = match parameters.bytes("cursor") {
        Some(cursor) => {
            let bad = |_| Refusal::bad("this cursor was not given out here: use the one of the page before");
            Some(BASE64URL_NOPAD.decode(cursor).map_err(bad)?)
        }
        None => None,
    };
    let page = app.run(move |engine| {
        let (keys, next) = if let Some(ordered) = engine.as_ordered() {
            page_in_order(ordered, &prefix, from.as_deref(), limit)?
        } else {
            let iterate = engine.as_iterate().ok_or_else(|| Capability::Iterate.lacking(engine))?;
            page_of_walk(iterate, &prefix, from.as_deref(), limit)?
        };
        let cursor = next.map(|next| BASE64URL_NOPAD.encode(begin_of_page(keys.last(), &next)));
        let keys = keys.iter().map(|key| raw(key)).collect::<Result<_, Refusal>>()?;
        Ok(KeysBody { keys, cursor })
    });
    Ok(json(StatusCode::OK, &page.await?))
}

/// The keys of a page, and the key that follows, if one does.
type Page = (Vec<Vec<u8>>, Option<Vec<u8>>);

/// Where a page begins that follows `last`: no more of the `next` key than tells it from that one. A cursor stands in an
/// address, which may be 65,534 bytes, and a key of 64 KiB is longer in its letters; so still are the first 49,000 bytes that
/// two keys share.
fn begin_of_page<'k>(last: Option<&Vec<u8>>, next: &'k [u8]) -> &'k [u8] {
    let last = last.map_or(&[][..], Vec::as_slice);
    let common = last.iter().zip(next).take_while(|(a, b)| a == b).count();
    next.get(..=common).unwrap_or(next)
}

/// The first keys with this prefix at or behind `from`, of a stage that has them in order: no more is read than is shown.
fn page_in_order(
    ordered: &dyn Ordered,
    prefix: &[u8],
    from: Option<&[u8]>,
    limit: usize,
) -> logladder_engine::Result<Page> {
    let mut buffer = Vec::new();
    let (first, end) = range_of_prefix(prefix, &mut buffer);
    let start = from.filter(|from| *from >= prefix).map_or(first, Bound::Included);
    let (mut keys, mut bytes, mut next) = (Vec::new(), 0, None);
    ordered.scan((start, end), Direction::Forward, &mut |key, _| {
        if keys.len() == limit || (bytes + key.len() > MOST_BYTES && !keys.is_empty()) {
            next = Some(key.to_vec());
            return ControlFlow::Break(());
        }
        bytes += key.len();
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok((keys, next))
}

/// The same of any other stage: all keys are walked over, and no more of them is kept than a page has, and one.
fn page_of_walk(
    iterate: &dyn Iterate,
    prefix: &[u8],
    from: Option<&[u8]>,
    limit: usize,
) -> logladder_engine::Result<Page> {
    let (mut page, mut bytes, mut next) = (BTreeSet::<Vec<u8>>::new(), 0, None::<Vec<u8>>);
    iterate.for_each(&mut |key, _| {
        let is_asked_for = from.is_none_or(|from| key >= from) && key.starts_with(prefix);
        let is_behind_next = next.as_ref().is_some_and(|next| key >= next.as_slice());
        if is_asked_for && !is_behind_next && page.insert(key.to_vec()) {
            bytes += key.len();
            while page.len() > limit || (bytes > MOST_BYTES && page.len() > 1) {
                // Each is before the one of which that was said last.
                next = page.pop_last();
                bytes -= next.as_ref().map_or(0, Vec::len);
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok((page.into_iter().collect(), next))
}

/// Writes that are done together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchBody<'b> {
    /// In their order; of two writes of one key, the later one counts.
    #[serde(borrow)]
    #[schema(value_type = Vec<WriteBody<'_>>)]
    writes: Vec<Object<WriteBody<'b>>>,
}

/// One write of a batch: a key with what to set it to, or with the wish to delete it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WriteBody<'b> {
    #[serde(borrow)]
    key: &'b RawValue,
    #[serde(borrow, default)]
    value: Option<&'b RawValue>,
    #[serde(default)]
    delete: bool,
}

/// How many writes were done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WrittenBody {
    written: usize,
}

/// Does all writes or none.
#[utoipa::path(post, path = "/v1/batch", operation_id = "write_batch", tag = "raw bytes", request_body = BatchBody,
    params(Synced),
    responses((status = 200, description = "all is written", body = WrittenBody),
        RefusedRequest, RefusedBody, RefusedWrite, RefusedFull))]
pub(crate) async fn batch(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let sync = Parameters::read(&uri, &["sync"])?.flag("sync")?;
    Conditions::refuse(&headers)?;
    let body = request::body(&app.options, &headers, body).await?;
    let shared = Arc::clone(&app);
    let written = app.write(sync, move |engine| {
        let atomic = engine.as_atomic().ok_or_else(|| Capability::Atomic.lacking(engine))?;
        let body: BatchBody<'_> = parse(&body)?;
        let mut batch = Batch::new();
        for (place, Object(write)) in body.writes.iter().enumerate() {
            let key = decoded_key(write.key)?;
            match (write.value, write.delete) {
                (Some(value), false) => drop(batch.set(&key, &decoded_value(value)?)),
                (None, true) => drop(batch.delete(&key)),
                _ => {
                    let why = format!("write {place}: give it a value, or \"delete\":true, and not both");
                    return Err(Refusal::bad(why));
                }
            }
        }
        let _under_way = shared.together.begin(engine);
        atomic.write(&batch)?;
        Ok(WrittenBody { written: batch.len() })
    });
    Ok(json(StatusCode::OK, &written.await?))
}
