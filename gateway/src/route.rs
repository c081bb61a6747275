//! Method and path to what is asked for. Pure.

use auth::Scope;

/// What an address stands for. A room is named as it stands in the path, percent-decoded once, and not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Connect {
        room: String,
    },
    Publish {
        room: String,
    },
    Messages {
        room: String,
    },
    /// One message of a room, by its offset.
    Message {
        room: String,
        offset: String,
    },
    /// A method of the room's behavior.
    Call {
        room: String,
        method: String,
    },
    Members {
        room: String,
    },
    Events {
        room: String,
    },
    /// The WebSocket's protocol for those that can open none.
    Stream {
        room: String,
    },
    State {
        room: String,
    },
    Disconnect {
        room: String,
    },
    /// Publishes to several rooms.
    Batch,
    /// Publishes to the user's own room.
    UserPublish {
        user: String,
    },
    /// The room itself.
    Room {
        room: String,
    },
    Tokens,
    OpenApi,
    Docs,
    /// The tenant's rooms.
    Rooms,
    Usage,
    Revocations,
    /// Everywhere.
    DisconnectUser {
        user: String,
    },
    /// Batches of webhooks that were given up.
    ParkedList,
    Parked {
        id: String,
    },
    Replay {
        id: String,
    },
    Metrics,
    Health,
    Jwks,
    /// `cargo xtask dev` alone has it.
    DevToken,
    /// The tests' module alone has it.
    #[cfg(feature = "faults")]
    DevFault {
        room: String,
    },
    /// Outside the API: the demo's, where one is bound.
    Elsewhere,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Routed {
    To(Route),
    /// `OPTIONS`: a browser asks what it may.
    Preflight(Route),
    /// The address exists, the method does not.
    MethodNotAllowed(Route),
    NotFound,
}

impl Route {
    /// The methods of an address, as the header `Allow` lists them. What is elsewhere is not ours to say.
    pub(crate) fn allow(&self) -> &'static str {
        match self {
            Route::Connect { .. }
            | Route::Messages { .. }
            | Route::Members { .. }
            | Route::Events { .. }
            | Route::OpenApi
            | Route::Docs
            | Route::Rooms
            | Route::Usage
            | Route::ParkedList
            | Route::Metrics
            | Route::Health
            | Route::Jwks => "GET, OPTIONS",
            Route::Parked { .. } => "DELETE, OPTIONS",
            Route::Room { .. } => "GET, DELETE, OPTIONS",
            Route::Message { .. } => "PATCH, DELETE, OPTIONS",
            Route::State { .. } => "GET, PATCH, OPTIONS",
            Route::Publish { .. }
            | Route::Call { .. }
            | Route::Stream { .. }
            | Route::Tokens
            | Route::Revocations
            | Route::Replay { .. }
            | Route::DisconnectUser { .. }
            | Route::Disconnect { .. }
            | Route::Batch
            | Route::UserPublish { .. }
            | Route::DevToken => "POST, OPTIONS",
            #[cfg(feature = "faults")]
            Route::DevFault { .. } => "POST, OPTIONS",
            Route::Elsewhere => "*",
        }
    }

    /// Whether a call of it counts against its client's address. A connection counts by itself, where a refusal can be
    /// told to a browser.
    pub(crate) fn is_api(&self) -> bool {
        let is_free =
            matches!(self, Route::Health | Route::Jwks | Route::OpenApi | Route::Docs | Route::Elsewhere);
        !is_free && !matches!(self, Route::Connect { .. })
    }

    /// What an API key must be for. `None` where there is nothing that one opens.
    pub(crate) fn scope(&self, method: &str) -> Option<Scope> {
        match self {
            Route::Publish { .. } | Route::Batch | Route::UserPublish { .. } => Some(Scope::Publish),
            Route::Call { .. } => Some(Scope::Call),
            Route::State { .. } if method == "PATCH" => Some(Scope::Edit),
            Route::Messages { .. } | Route::Members { .. } | Route::Events { .. } | Route::State { .. } => {
                Some(Scope::Read)
            }
            Route::Message { .. } => Some(Scope::Edit),
            Route::Room { .. } if method == "DELETE" => Some(Scope::Admin),
            Route::Room { .. } => Some(Scope::Read),
            Route::Tokens => Some(Scope::Tokens),
            Route::Rooms | Route::Usage | Route::ParkedList | Route::Parked { .. } | Route::Replay { .. } => {
                Some(Scope::Admin)
            }
            Route::Revocations => Some(Scope::Revoke),
            Route::Disconnect { .. } | Route::DisconnectUser { .. } => Some(Scope::Moderate),
            Route::Metrics => Some(Scope::Metrics),
            Route::Connect { .. }
            | Route::Stream { .. }
            | Route::OpenApi
            | Route::Docs
            | Route::Health
            | Route::Jwks
            | Route::DevToken
            | Route::Elsewhere => None,
            #[cfg(feature = "faults")]
            Route::DevFault { .. } => None,
        }
    }

    /// Every name that a caller of the HTTP API may rely on.
    #[cfg(test)]
    pub(crate) const DOCUMENTED: [&str; 26] = [
        "rooms",
        "usage",
        "revocations",
        "disconnect_user",
        "metrics",
        "connect",
        "publish",
        "messages",
        "call",
        "members",
        "events",
        "stream",
        "room",
        "tokens",
        "openapi",
        "docs",
        "healthz",
        "jwks",
        "message",
        "state",
        "disconnect",
        "batch",
        "user_publish",
        "webhooks_parked",
        "webhooks_forget",
        "webhooks_replay",
    ];

    /// The address without what is in it, for logs.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Route::Connect { .. } => "connect",
            Route::Publish { .. } => "publish",
            Route::Messages { .. } => "messages",
            Route::Call { .. } => "call",
            Route::Message { .. } => "message",
            Route::Members { .. } => "members",
            Route::Events { .. } => "events",
            Route::Stream { .. } => "stream",
            Route::Tokens => "tokens",
            Route::OpenApi => "openapi",
            Route::Docs => "docs",
            Route::State { .. } => "state",
            Route::Disconnect { .. } => "disconnect",
            Route::Batch => "batch",
            Route::UserPublish { .. } => "user_publish",
            Route::Room { .. } => "room",
            Route::Rooms => "rooms",
            Route::Usage => "usage",
            Route::Revocations => "revocations",
            Route::DisconnectUser { .. } => "disconnect_user",
            Route::ParkedList => "webhooks_parked",
            Route::Parked { .. } => "webhooks_forget",
            Route::Replay { .. } => "webhooks_replay",
            Route::Metrics => "metrics",
            Route::Health => "healthz",
            Route::Jwks => "jwks",
            Route::DevToken => "dev_token",
            #[cfg(feature = "faults")]
            Route::DevFault { .. } => "dev_fault",
            Route::Elsewhere => "elsewhere",
        }
    }
}

pub(crate) fn route(method: &str, path: &str) -> Routed {
    let Some(route) = resource(path) else { return Routed::NotFound };
    match method {
        _ if route == Route::Elsewhere => Routed::To(route),
        "OPTIONS" => Routed::Preflight(route),
        method if route.allow().split(", ").any(|allowed| allowed == method) => Routed::To(route),
        _ => Routed::MethodNotAllowed(route),
    }
}

fn resource(path: &str) -> Option<Route> {
    let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    match segments.as_slice() {
        ["v1", "rooms", room] if !room.is_empty() => Some(Route::Room { room: percent_decoded(room) }),
        ["v1", "rooms", room, resource] => {
            let room = percent_decoded(room);
            match *resource {
                "connect" => Some(Route::Connect { room }),
                "publish" => Some(Route::Publish { room }),
                "messages" => Some(Route::Messages { room }),
                "members" => Some(Route::Members { room }),
                "events" => Some(Route::Events { room }),
                "stream" => Some(Route::Stream { room }),
                "state" => Some(Route::State { room }),
                "disconnect" => Some(Route::Disconnect { room }),
                _ => None,
            }
        }
        ["v1", "rooms", room, "messages", offset] if !offset.is_empty() => {
            let (room, offset) = (percent_decoded(room), percent_decoded(offset));
            Some(Route::Message { room, offset })
        }
        ["v1", "rooms", room, "call", method] if !method.is_empty() => {
            Some(Route::Call { room: percent_decoded(room), method: percent_decoded(method) })
        }
        ["v1", "publish"] => Some(Route::Batch),
        ["v1", "users", user, "publish"] => Some(Route::UserPublish { user: percent_decoded(user) }),
        ["v1", "tokens"] => Some(Route::Tokens),
        ["v1", "rooms"] => Some(Route::Rooms),
        ["v1", "webhooks", "parked"] => Some(Route::ParkedList),
        ["v1", "webhooks", "parked", id] => Some(Route::Parked { id: percent_decoded(id) }),
        ["v1", "webhooks", "parked", id, "replay"] => Some(Route::Replay { id: percent_decoded(id) }),
        ["v1", "usage"] => Some(Route::Usage),
        ["v1", "revocations"] => Some(Route::Revocations),
        ["v1", "users", user, "disconnect"] => Some(Route::DisconnectUser { user: percent_decoded(user) }),
        ["v1", ..] => None,
        ["metrics"] => Some(Route::Metrics),
        ["openapi.json"] => Some(Route::OpenApi),
        ["docs"] => Some(Route::Docs),
        ["healthz"] => Some(Route::Health),
        [".well-known", "jwks.json"] => Some(Route::Jwks),
        #[cfg(feature = "faults")]
        ["dev", "fault", room] => Some(Route::DevFault { room: percent_decoded(room) }),
        ["dev", "token"] => Some(Route::DevToken),
        _ => Some(Route::Elsewhere),
    }
}

/// Decodes once. What is no UTF-8 or no escape comes back with its `%`, which no room's name has.
fn percent_decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let Some(decoded) = escape(after) else { return segment.into() };
        bytes.push(decoded);
        rest = &after[2..];
    }
    String::from_utf8(bytes).unwrap_or_else(|_| segment.into())
}

fn escape(after_percent: &[u8]) -> Option<u8> {
    let [high, low, ..] = after_percent else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

#[cfg(test)]
mod tests {
    use schemas::RoomName;

    use super::*;

    fn messages_room(segment: &str) -> String {
        match route("GET", &format!("/v1/rooms/{segment}/messages")) {
            Routed::To(Route::Messages { room }) => room,
            other => panic!("{segment}: {other:?}"),
        }
    }

    #[test]
    fn r_addr_1_a_rooms_segment_is_percent_decoded_once() {
        let rows = [
            ("chat:a", "chat:a", true),
            ("chat%3Aa", "chat:a", true),
            ("chat:%61", "chat:a", true),
            ("chat:A.b_c~d-9", "chat:A.b_c~d-9", true),
            ("chat:%2561", "chat:%61", false),
            ("chat:%252F", "chat:%2F", false),
            ("chat:%2F", "chat:/", false),
            ("chat:..%2F..%2Fx", "chat:../../x", false),
            ("default%2Fchat:x", "default/chat:x", false),
            ("chat:a%20b", "chat:a b", false),
            ("chat:a+b", "chat:a+b", false),
            ("chat:a%00", "chat:a\0", false),
            ("chat:%C3%A9", "chat:\u{e9}", false),
            ("ch%D0%B0t:x", "ch\u{430}t:x", false),
            ("chat:%zz", "chat:%zz", false),
            ("chat:a%2", "chat:a%2", false),
            ("chat:a%", "chat:a%", false),
            ("chat:%FF", "chat:%FF", false),
            ("chat:%+1", "chat:%+1", false),
            ("", "", false),
        ];
        for (segment, decoded, valid) in rows {
            assert_eq!(messages_room(segment), decoded, "{segment}");
            assert_eq!(RoomName::parse(decoded).is_some(), valid, "{segment}");
        }
    }

    #[test]
    fn r_http_7_each_address_has_its_methods() {
        let room = || "chat:a".to_owned();
        let rows = [
            ("/v1/rooms/chat:a/connect", "GET", Route::Connect { room: room() }),
            ("/v1/rooms/chat:a/publish", "POST", Route::Publish { room: room() }),
            ("/v1/rooms/chat:a/messages", "GET", Route::Messages { room: room() }),
            ("/v1/rooms/chat:a/members", "GET", Route::Members { room: room() }),
            ("/v1/rooms/chat:a/messages/7", "PATCH", Route::Message { room: room(), offset: "7".into() }),
            (
                "/v1/rooms/chat:a/messages/x%37",
                "DELETE",
                Route::Message { room: room(), offset: "x7".into() },
            ),
            ("/v1/rooms/chat:a/call/ro%6Cl", "POST", Route::Call { room: room(), method: "roll".into() }),
            ("/v1/rooms/chat:a/state", "GET", Route::State { room: room() }),
            ("/v1/rooms/chat:a/state", "PATCH", Route::State { room: room() }),
            ("/v1/rooms/chat:a/disconnect", "POST", Route::Disconnect { room: room() }),
            ("/v1/publish", "POST", Route::Batch),
            ("/v1/users/a%2Eb/publish", "POST", Route::UserPublish { user: "a.b".into() }),
            ("/v1/rooms/chat:a", "GET", Route::Room { room: room() }),
            ("/v1/rooms/chat:a", "DELETE", Route::Room { room: room() }),
            ("/v1/rooms/chat:a/events", "GET", Route::Events { room: room() }),
            ("/v1/rooms/chat:a/stream", "POST", Route::Stream { room: room() }),
            ("/v1/tokens", "POST", Route::Tokens),
            ("/openapi.json", "GET", Route::OpenApi),
            ("/docs", "GET", Route::Docs),
            ("/v1/rooms", "GET", Route::Rooms),
            ("/v1/usage", "GET", Route::Usage),
            ("/v1/webhooks/parked", "GET", Route::ParkedList),
            ("/v1/webhooks/parked/a.b.1-2", "DELETE", Route::Parked { id: "a.b.1-2".to_owned() }),
            ("/v1/webhooks/parked/a.b.1-2/replay", "POST", Route::Replay { id: "a.b.1-2".to_owned() }),
            ("/v1/revocations", "POST", Route::Revocations),
            ("/v1/users/ann%40x/disconnect", "POST", Route::DisconnectUser { user: "ann@x".to_owned() }),
            ("/metrics", "GET", Route::Metrics),
            ("/healthz", "GET", Route::Health),
            ("/.well-known/jwks.json", "GET", Route::Jwks),
            ("/dev/token", "POST", Route::DevToken),
        ];
        for (path, method, expected) in rows {
            assert_eq!(route(method, path), Routed::To(expected.clone()), "{method} {path}");
            assert_eq!(route("OPTIONS", path), Routed::Preflight(expected.clone()), "OPTIONS {path}");
            for other in ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "QUERY", "get", ""] {
                if !expected.allow().split(", ").any(|allowed| allowed == other) {
                    assert_eq!(
                        route(other, path),
                        Routed::MethodNotAllowed(expected.clone()),
                        "{other} {path}"
                    );
                }
            }
        }
    }

    #[test]
    fn r_write_6_each_address_of_a_room_needs_its_scope() {
        let rows = [
            ("POST", "/v1/rooms/chat:a/publish", Scope::Publish),
            ("POST", "/v1/publish", Scope::Publish),
            ("POST", "/v1/users/ann/publish", Scope::Publish),
            ("POST", "/v1/rooms/chat:a/call/roll", Scope::Call),
            ("PATCH", "/v1/rooms/chat:a/messages/1", Scope::Edit),
            ("DELETE", "/v1/rooms/chat:a/messages/1", Scope::Edit),
            ("PATCH", "/v1/rooms/chat:a/state", Scope::Edit),
            ("GET", "/v1/rooms/chat:a/state", Scope::Read),
            ("GET", "/v1/rooms/chat:a/messages", Scope::Read),
            ("GET", "/v1/rooms/chat:a/members", Scope::Read),
            ("GET", "/v1/rooms/chat:a", Scope::Read),
            ("POST", "/v1/rooms/chat:a/disconnect", Scope::Moderate),
            ("DELETE", "/v1/rooms/chat:a", Scope::Admin),
        ];
        for (method, path, expected) in rows {
            let Routed::To(route) = route(method, path) else { panic!("{method} {path}") };
            assert_eq!(route.scope(method), Some(expected), "{method} {path}");
        }
    }

    #[test]
    fn r_http_7_what_is_not_an_address_is_not_found() {
        let unknown = [
            "/v1",
            "/v1/",
            "/v1/rooms/",
            "/v1/users/ann",
            "/v1/usage/x",
            "/v1/rooms/chat:a/",
            "/v1/rooms/chat:a/nothing",
            "/v1/rooms/chat:a/connect/",
            "/v1/rooms/chat:a/messages/",
            "/v1/rooms/chat:a/messages/7/",
            "/v1/rooms/chat:a/state/a",
            "/v1/rooms/chat:a/call",
            "/v1/rooms/chat:a/call/",
            "/v1/rooms/chat:a/call/roll/",
            "/v1/publish/",
            "/v1/users",
            "/v1/users/ann",
            "/v1/users/ann/publish/",
            "/v1/rooms/chat:a/b/connect",
            "/v1//rooms/chat:a/connect",
            "/v1/tokens/x",
            "",
        ];
        for path in unknown {
            assert_eq!(route("GET", path), Routed::NotFound, "{path}");
        }
        for path in ["/", "/index.html", "/v2/rooms/chat:a/messages", "/V1/rooms/chat:a/messages", "/v1x"] {
            for method in ["GET", "POST", "OPTIONS", "DELETE"] {
                assert_eq!(route(method, path), Routed::To(Route::Elsewhere), "{method} {path}");
            }
        }
    }

    /// An address of the document with something in its braces.
    fn filled(path: &str) -> String {
        let values =
            [("{room}", "chat:a"), ("{offset}", "7"), ("{user}", "ann"), ("{id}", "x"), ("{method}", "m")];
        values.into_iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
    }

    #[test]
    fn r_http_10_the_document_names_the_addresses_and_methods_that_are_served() {
        let document: serde_json::Value =
            serde_json::from_str(include_str!("../../docs/openapi.json")).expect("JSON");
        let paths = document["paths"].as_object().expect("paths");
        let mut named = std::collections::BTreeSet::new();
        for (path, operations) in paths {
            let mut documented: Vec<String> =
                operations.as_object().expect("operations").keys().map(|name| name.to_uppercase()).collect();
            documented.sort();
            let filled = filled(path);
            let Routed::To(route) = route(&documented[0], &filled) else { panic!("{path} is not routed") };
            assert_ne!(route, Route::Elsewhere, "{path}");
            named.insert(route.name());
            let served = route.allow().split(", ").filter(|method| *method != "OPTIONS");
            let mut served: Vec<String> = served.map(ToOwned::to_owned).collect();
            served.sort();
            assert_eq!(documented, served, "{path}");
            for method in &documented {
                let operation = &operations[method.to_lowercase()];
                let keyed = operation["security"]
                    .as_array()
                    .is_some_and(|ways| ways.iter().any(|way| way.get("apiKey").is_some()));
                let scope = route.scope(method).map(Scope::as_str);
                assert_eq!(scope.is_some(), keyed, "{method} {path}");
                if let Some(scope) = scope {
                    let told = operation["description"].as_str().unwrap_or_default();
                    assert!(told.contains(&format!("scope `{scope}`")), "{method} {path}: {told}");
                }
            }
        }
        assert_eq!(named, Route::DOCUMENTED.into_iter().collect());
    }
}
