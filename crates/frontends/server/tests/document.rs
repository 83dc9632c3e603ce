//! The OpenAPI document says what the server does.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod harness;

use harness::{memory, options, stage};

#[test]
fn the_document_names_routes_that_are_there() {
    let server = stage("hash-log");
    let document: serde_json::Value = serde_json::from_slice(&server.get("/openapi.json").body).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 14, "{paths:?}");
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            if path == "/v1/changes" {
                continue;
            }
            let answer = server.send(&method.to_uppercase(), &path.replace("{key}", "absent"), &[], b"");
            assert!(
                answer.status != 405 && answer.status < 500 || answer.status == 501,
                "{method} {path}: {answer:?}"
            );
            if answer.status == 404 {
                assert_eq!(answer.error(), "Key not found", "{method} {path}");
            }
        }
    }
}

#[test]
fn every_request_and_answer_of_the_document_has_a_body_of_a_named_form() {
    let server = stage("hash-log");
    let document: serde_json::Value = serde_json::from_slice(&server.get("/openapi.json").body).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut names = std::collections::BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(names.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
            let answers = operation["responses"].as_object().unwrap();
            let bodies = answers
                .values()
                .map(|answer| &answer["content"])
                .chain([&operation["requestBody"]["content"]]);
            for (kind, body) in bodies.filter_map(serde_json::Value::as_object).flatten() {
                let schema = &body["schema"];
                let is_free = path == "/openapi.json" || kind == "application/openmetrics-text";
                assert!(schema["$ref"].is_string() || is_free, "{method} {path}: {body}");
            }
            for (status, answer) in answers {
                let is_refusal = status.starts_with(['4', '5']);
                let form =
                    answer["content"]["application/json"]["schema"]["$ref"].as_str().unwrap_or_default();
                assert_eq!(is_refusal, form.ends_with("/Problem"), "{method} {path} {status}");
            }
            let has_body = matches!(path.as_str(), "/set" | "/v1/batch" | "/v1/backup") || method == "put";
            assert_eq!(operation["requestBody"].is_object(), has_body, "{method} {path}");
        }
    }
    // Every form that is named is there.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
}

#[test]
fn the_document_asks_for_the_token_where_the_server_does() {
    let mut with_token = options();
    with_token.token = logladder_server::Token::new("secret");
    let server = memory(with_token);
    let answer = server.send("GET", "/openapi.json", &[("authorization", "Bearer secret")], b"");
    let document: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(document["security"][0]["token"], serde_json::json!([]));
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    assert_eq!(document["paths"]["/healthz"]["get"]["security"], serde_json::json!([]));
    let open: serde_json::Value =
        serde_json::from_slice(&memory(options()).get("/openapi.json").body).unwrap();
    assert!(open["security"].is_null());
}
