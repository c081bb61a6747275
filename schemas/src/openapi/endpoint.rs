//! One endpoint, and how it stands in the document.

use alloc::{
    borrow::ToOwned,
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec,
    vec::Vec,
};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

type Shape = fn(&mut SchemaGenerator) -> Schema;

/// Who may call.
#[derive(Debug, Clone, Copy)]
pub enum Credential {
    /// Anyone.
    None,
    /// An API key with this scope.
    Scope(&'static str),
    /// An API key with the scope, or a token with the capability in the room.
    Either { scope: &'static str, capability: &'static str },
    /// A token with the capability in the room.
    Token { capability: &'static str },
}

/// A status, what it means, and what comes with it: its media type and shape.
type Answered = (u16, Value, Option<(&'static str, Answer)>);

/// A row of the table.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub method: &'static str,
    pub path: &'static str,
    /// The heading it stands under.
    pub tag: &'static str,
    pub id: &'static str,
    pub summary: &'static str,
    pub description: &'static str,
    pub credential: Credential,
    parameters: Vec<Value>,
    body: Option<Shape>,
    body_required: bool,
    answers: Vec<Answered>,
    problems: BTreeMap<u16, BTreeSet<&'static str>>,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Of(Shape),
    Text,
    /// One event of a stream.
    Events(&'static [&'static str]),
}

impl Endpoint {
    pub(super) fn new(
        method: &'static str,
        path: &'static str,
        tag: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> Endpoint {
        let mut endpoint = Endpoint {
            method,
            path,
            tag,
            id,
            summary,
            description: "",
            credential: Credential::None,
            parameters: Vec::new(),
            body: None,
            body_required: true,
            answers: Vec::new(),
            problems: BTreeMap::new(),
        };
        for name in path.split('{').skip(1).filter_map(|rest| rest.split_once('}')) {
            endpoint.parameters.push(path_parameter(name.0));
        }
        if path.contains("{room}") {
            endpoint = endpoint.problem(400, "bad_room_name").problem(404, "unknown_kind");
        }
        endpoint.problem(503, "unavailable")
    }

    pub(super) fn about(mut self, description: &'static str) -> Endpoint {
        self.description = description;
        self
    }

    pub(super) fn scope(mut self, scope: &'static str) -> Endpoint {
        self.credential = Credential::Scope(scope);
        self.refusals()
    }

    pub(super) fn either(mut self, scope: &'static str, capability: &'static str) -> Endpoint {
        self.credential = Credential::Either { scope, capability };
        self.refusals().problem(403, "blocked")
    }

    pub(super) fn token(mut self, capability: &'static str) -> Endpoint {
        self.credential = Credential::Token { capability };
        self.refusals()
    }

    fn refusals(self) -> Endpoint {
        let unauthorized = ["unauthorized", "token_expired", "revoked"];
        let endpoint = unauthorized.into_iter().fold(self, |endpoint, code| endpoint.problem(401, code));
        endpoint.problem(403, "forbidden").problem(429, "rate_limited").problem(503, "overloaded")
    }

    pub(super) fn problem(mut self, status: u16, code: &'static str) -> Endpoint {
        self.problems.entry(status).or_default().insert(code);
        self
    }

    pub(super) fn query(self, name: &str, schema: &Value, description: &str) -> Endpoint {
        self.parameter("query", name, schema, description).problem(400, "invalid_argument")
    }

    pub(super) fn header(self, name: &str, schema: &Value, description: &str) -> Endpoint {
        self.parameter("header", name, schema, description).problem(400, "invalid_argument")
    }

    fn parameter(mut self, place: &str, name: &str, schema: &Value, description: &str) -> Endpoint {
        self.parameters.push(json!({
            "name": name, "in": place, "required": false, "schema": schema, "description": description,
        }));
        self
    }

    pub(super) fn body<T: JsonSchema>(mut self) -> Endpoint {
        self.body = Some(|generator| generator.subschema_for::<T>());
        self.problem(400, "bad_request").problem(400, "invalid_argument").problem(413, "too_large")
    }

    pub(super) fn body_may_be_absent(mut self) -> Endpoint {
        self.body_required = false;
        self
    }

    pub(super) fn answers<T: JsonSchema>(mut self, description: &str) -> Endpoint {
        let shape: Shape = |generator| generator.subschema_for::<T>();
        self.answers.push((200, json!(description), Some(("application/json", Answer::Of(shape)))));
        self
    }

    /// As lines of JSON, in place of or beside another answer.
    pub(super) fn answers_lines<T: JsonSchema>(mut self, description: &str) -> Endpoint {
        let shape: Shape = |generator| generator.subschema_for::<T>();
        self.answers.push((200, json!(description), Some(("application/x-ndjson", Answer::Of(shape)))));
        self
    }

    pub(super) fn answers_text(mut self, content_type: &'static str, description: &str) -> Endpoint {
        self.answers.push((200, json!(description), Some((content_type, Answer::Text))));
        self
    }

    pub(super) fn answers_events(mut self, events: &'static [&'static str], description: &str) -> Endpoint {
        self.answers.push((200, json!(description), Some(("text/event-stream", Answer::Events(events)))));
        self
    }

    pub(super) fn answers_nothing(mut self, status: u16, description: &str) -> Endpoint {
        self.answers.push((status, json!(description), None));
        self
    }

    pub(super) fn operation(&self, generator: &mut SchemaGenerator) -> Value {
        let mut operation = json!({
            "operationId": self.id,
            "summary": self.summary,
            "tags": [self.tag],
            "responses": self.responses(generator),
        });
        let security = match self.credential {
            Credential::None => json!([]),
            Credential::Scope(_) => json!([{ "apiKey": [] }]),
            Credential::Either { .. } => json!([{ "apiKey": [] }, { "token": [] }]),
            Credential::Token { .. } => json!([{ "token": [] }]),
        };
        operation["security"] = security;
        let description = [self.description.to_owned(), self.who_may()].join("\n\n").trim().to_owned();
        if !description.is_empty() {
            operation["description"] = json!(description);
        }
        if !self.parameters.is_empty() {
            operation["parameters"] = json!(self.parameters);
        }
        if let Some(shape) = self.body {
            let content = json!({ "application/json": { "schema": shape(generator) } });
            operation["requestBody"] = json!({ "required": self.body_required, "content": content });
        }
        operation
    }

    fn who_may(&self) -> String {
        match self.credential {
            Credential::None => String::new(),
            Credential::Scope(scope) => format!("API key with the scope `{scope}`."),
            Credential::Either { scope, capability } => {
                format!("API key with the scope `{scope}`, or token with the capability {capability}.")
            }
            Credential::Token { capability } => format!("Token with the capability {capability}."),
        }
    }

    fn responses(&self, generator: &mut SchemaGenerator) -> Value {
        let request_id =
            json!({ "description": "Also in the logs.", "required": true, "schema": { "type": "string" } });
        let mut responses = BTreeMap::new();
        for (status, description, answer) in &self.answers {
            let mut response =
                json!({ "description": description, "headers": { "x-request-id": request_id } });
            if let Some((content_type, answer)) = answer {
                let schema = match answer {
                    Answer::Of(shape) => json!(shape(generator)),
                    Answer::Text => json!({ "type": "string" }),
                    Answer::Events(events) => json!({
                        "type": "object",
                        "properties": {
                            "event": { "enum": events },
                            "id": { "type": "string" },
                            "data": { "type": "string", "contentMediaType": "application/json" },
                            "retry": { "type": "integer" },
                        },
                    }),
                };
                response["content"] = json!({ *content_type: { "schema": schema } });
            }
            // What may be answered in two forms has both under its status.
            let earlier = responses.entry(format!("{status}")).or_insert_with(|| response.clone());
            if let Some((content_type, _)) = answer {
                earlier["content"][*content_type] = response["content"][*content_type].clone();
            }
        }
        for (status, codes) in &self.problems {
            let codes: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
            let mut response = json!({
                "description": codes.join(", "),
                "headers": { "x-request-id": request_id },
                "content": {
                    "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } },
                },
            });
            if matches!(status, 429 | 503) {
                response["headers"]["Retry-After"] =
                    json!({ "description": "Seconds, where it is known.", "schema": { "type": "integer" } });
            }
            responses.insert(format!("{status}"), response);
        }
        json!(responses)
    }
}

fn path_parameter(name: &str) -> Value {
    let (schema, description) = match name {
        "room" => (
            json!({ "type": "string", "pattern": "^[a-z][a-z0-9-]{0,31}:[A-Za-z0-9._~-]{1,128}$" }),
            "`kind:id`; the kind is one that is configured.",
        ),
        "method" => {
            (json!({ "type": "string", "minLength": 1, "maxLength": 64 }), "As the room's behavior names it.")
        }
        "offset" => (
            json!({ "type": "integer", "minimum": 1, "maximum": crate::position::INTEGER_MAX }),
            "Of the publication.",
        ),
        "user" => (json!({ "type": "string", "minLength": 1, "maxLength": 128 }), "A token's `sub`."),
        _ => (json!({ "type": "string", "minLength": 1, "maxLength": 256 }), "As an answer gave it."),
    };
    let examples = match name {
        "room" => vec![json!("chat:lobby")],
        _ => Vec::new(),
    };
    let mut parameter =
        json!({ "name": name, "in": "path", "required": true, "schema": schema, "description": description });
    if let Some(example) = examples.first() {
        parameter["example"] = example.clone();
    }
    parameter
}
