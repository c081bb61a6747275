//! The OpenAPI 3.1 document of the HTTP API, for `cargo xtask codegen`: the endpoints stand in one table
//! ([`endpoints`]), and what they take and give is derived from the types that the handlers read and write.

mod endpoint;
mod endpoints;
mod types;

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::http::Problem;
pub use endpoint::{Credential, Endpoint};
pub use endpoints::endpoints;
pub use types::{BatchMessage, BlockFor};
pub(crate) use types::{state_op_ways, ways};

const ABOUT: &str = "Rooms of live users: messages, presence, history and shared state over WebSockets, and this API \
for backends. Errors are RFC 9457 problems with a `code`; every answer carries `x-request-id`.\n\n\
A backend authenticates with an API key (`rk_…`) whose scopes allow the call, a user with a token (JWT) whose \
capabilities in the room do. Times are milliseconds since 1970.";

/// The document, as text with a line break at its end. The same types make the same text.
///
/// # Panics
/// Never on what the table holds: JSON values write themselves.
#[must_use]
pub fn document() -> String {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    generator.subschema_for::<Problem>();
    let endpoints = endpoints();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut tags = Vec::new();
    for endpoint in &endpoints {
        let operation = endpoint.operation(&mut generator);
        paths.entry(endpoint.path).or_default().insert(endpoint.method.to_ascii_lowercase(), operation);
        if !tags.contains(&endpoint.tag) {
            tags.push(endpoint.tag);
        }
    }
    let document = json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Roomcast",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags.iter().map(|tag| json!({ "name": tag })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "apiKey": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "rk_<id>_<secret>",
                    "description": "A backend's key, of ROOMCAST_API_KEYS.",
                },
                "token": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "A user's token.",
                },
            },
        },
    });
    let mut text = serde_json::to_string_pretty(&document).expect("JSON values write themselves");
    text.push('\n');
    text
}
