//! The refusals that many routes share.

use std::collections::BTreeMap;

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoResponses, ToSchema};

use crate::answer::Problem;

fn refused<const N: usize>(list: [(&str, &str); N]) -> BTreeMap<String, RefOr<Response>> {
    let problem = || ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    let response =
        |why| ResponseBuilder::new().description(why).content("application/json", problem()).build();
    list.into_iter().map(|(status, why)| (status.to_owned(), response(why).into())).collect()
}

/// Whatever is asked for.
pub(crate) struct RefusedRequest;

impl IntoResponses for RefusedRequest {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refused([
            ("400", "something in the request is wrong; `error` says what"),
            ("401", "the token is missing or wrong"),
            (
                "403",
                "the server is not called so, or pages of that origin may not call it, or it was not started for this",
            ),
            ("500", "the disk failed, or the server has a defect"),
            ("503", "the store takes no requests of this kind now"),
        ])
    }
}

/// A request with a body.
pub(crate) struct RefusedBody;

impl IntoResponses for RefusedBody {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refused([
            ("408", "the body took too long; nothing was written"),
            ("501", "the transfer encoding of the body is not understood, or the stage cannot do this"),
        ])
    }
}

/// A request with a key or a value.
pub(crate) struct RefusedWrite;

impl IntoResponses for RefusedWrite {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refused([("413", "the body, the key or the value is too long; nothing was written")])
    }
}

/// A write that may be asked to wait for the disk.
pub(crate) struct RefusedSync;

impl IntoResponses for RefusedSync {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refused([("501", "the stage keeps nothing on the disk, or cannot do this")])
    }
}

/// A write that needs room on the disk.
pub(crate) struct RefusedFull;

impl IntoResponses for RefusedFull {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refused([("507", "the disk is full, or the cluster's quota is used up")])
    }
}
