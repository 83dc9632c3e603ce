//! What JSON stands for a byte string, for whoever reads the document.

use std::borrow::Cow;

use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, ArrayBuilder, ArrayItems, KnownFormat, Object, ObjectBuilder,
    OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::routes::lists::WriteBody;

/// Any byte string, as a body.
pub(crate) struct Bytes;

/// A key in JSON.
pub(crate) struct JsonKey;

/// A key in JSON that is not empty.
pub(crate) struct JsonKeyOfSome;

/// A value in JSON.
pub(crate) struct JsonValue;

fn of(schema_type: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(schema_type)
}

/// A string of so many letters or more, an object or an array.
fn key(shortest: Option<usize>) -> Schema {
    let what = "A string stands for its text, an object or an array for its own JSON text, and {\"$base64\":\"…\"} for \
        bytes that are no text.";
    AnyOfBuilder::new()
        .item(of(Type::String).min_length(shortest))
        .item(of(Type::Object))
        .item(ArrayBuilder::new().items(ArrayItems::from(anything())))
        .description(Some(what))
        .into()
}

fn anything() -> Object {
    Object::with_type(SchemaType::AnyValue)
}

impl PartialSchema for Bytes {
    fn schema() -> RefOr<Schema> {
        of(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary))).into()
    }
}

impl PartialSchema for JsonKey {
    fn schema() -> RefOr<Schema> {
        key(None).into()
    }
}

impl PartialSchema for JsonKeyOfSome {
    fn schema() -> RefOr<Schema> {
        key(Some(1)).into()
    }
}

impl PartialSchema for JsonValue {
    fn schema() -> RefOr<Schema> {
        let what = "A string stands for its text, any other JSON for its own text, and {\"$base64\":\"…\"} for bytes that \
            are no text. Answers have a string, an object or an array.";
        let types = [Type::String, Type::Object, Type::Array, Type::Number, Type::Boolean];
        ObjectBuilder::new().schema_type(SchemaType::Array(types.to_vec())).description(Some(what)).into()
    }
}

impl ToSchema for Bytes {
    fn name() -> Cow<'static, str> {
        "Bytes".into()
    }
}

impl ToSchema for JsonKey {
    fn name() -> Cow<'static, str> {
        "Key".into()
    }
}

impl ToSchema for JsonKeyOfSome {
    fn name() -> Cow<'static, str> {
        "KeyOfSome".into()
    }
}

impl ToSchema for JsonValue {
    fn name() -> Cow<'static, str> {
        "Value".into()
    }
}

impl PartialSchema for WriteBody<'_> {
    fn schema() -> RefOr<Schema> {
        let with_key = |delete: bool| {
            ObjectBuilder::new()
                .property("key", Ref::from_schema_name(JsonKey::name()))
                .required("key")
                .property(
                    "delete",
                    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([delete])),
                )
                .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        };
        let set =
            with_key(false).property("value", Ref::from_schema_name(JsonValue::name())).required("value");
        OneOfBuilder::new().item(set).item(with_key(true).required("delete")).into()
    }
}

impl ToSchema for WriteBody<'_> {
    fn name() -> Cow<'static, str> {
        "WriteBody".into()
    }
}
