//! What may stand in a path, behind the `?` and in headers. [`Parameters`](crate::request::Parameters) and
//! [`Conditions`](crate::entry::Conditions) read them.

use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

use crate::routes::{keys, lists};

/// One or more tags in quotes, or `*`.
const TAGS: &str = r#"^(\*|(W/)?"[!#-~]*"(, ?(W/)?"[!#-~]*")*)$"#;

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn tags() -> ObjectBuilder {
    text().pattern(Some(TAGS)).examples(["\"3\""])
}

fn number(least: u64, most: u64) -> ObjectBuilder {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(usize::try_from(least).ok())
        .maximum(Some(most))
}

/// The numbers that a version may have.
fn version() -> ObjectBuilder {
    number(0, crate::request::LARGEST_NUMBER)
}

fn parameter(place: ParameterIn, name: &str, schema: ObjectBuilder, what: &str) -> Parameter {
    let required = if matches!(place, ParameterIn::Path) { Required::True } else { Required::False };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .schema(Some(schema))
        .description(Some(what))
        .build()
}

/// Types that stand for a parameter each, so that a route can name those that it has.
macro_rules! parameters {
    ($($name:ident: $place:ident $text:literal, $schema:expr, $what:literal;)*) => {$(
        #[doc = $what]
        pub(crate) struct $name;

        impl IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                vec![parameter(ParameterIn::$place, $text, $schema, $what)]
            }
        }
    )*};
}

parameters! {
    KeyInPath: Path "key", text(), "any bytes, with %xx for what is no letter; / may stand as it is";
    KeyOfSomeInPath: Path "key", text().min_length(Some(1)), "any bytes, with %xx for what is no letter; / may stand as it is";
    Synced: Query "sync", text().enum_values(Some(["", "true", "1", "false", "0"])), "answer when it is on the disk";
    AtVersion: Query "at", version(), "the version to show";
    BeforeVersion: Query "before", version(), "only versions before this one: the last of the page before";
    VersionsLimit: Query "limit", number(1, keys::MOST_VERSIONS as u64), "how many versions; usually 100";
    KeysLimit: Query "limit", number(1, lists::MOST_KEYS as u64), "how many keys; usually 100";
    Prefix: Query "prefix", text(), "what the keys begin with";
    Cursor: Query "cursor", text().pattern(Some("^([A-Za-z0-9_-]{4})*([A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?$")), "the cursor of the page before";
    Since: Query "since", text().pattern(Some(r"^(start|[0-9]+\.[0-9]+\.[0-9]+)?$")), "a position, or `start` for all that is still in the log; else from now on";
    FromSnapshot: Query "snapshot", text().enum_values(Some(["", "true", "1", "false", "0"])), "over a WebSocket: every key first, then the changes";
    LastEventId: Header "last-event-id", text(), "a position, as browsers send it when they come back; it goes before `since`";
    IfMatch: Header "if-match", tags(), "only if the value has one of these tags, or with * if there is one";
    IfNoneMatch: Header "if-none-match", tags(), "only if the value has none of these tags, or with * if there is none";
}
