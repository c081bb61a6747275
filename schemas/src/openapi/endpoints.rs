//! The table.

use alloc::{vec, vec::Vec};

use serde_json::{Value, json};

use super::{
    endpoint::Endpoint,
    types::{Args, Chunk, Empty, Health, Jwks, OpenApi, PublishAnswer},
};
use crate::{
    directory::{ParkedPage, ReplayAnswer, RoomsPage},
    http::{
        BatchAnswer, BatchBody, DisconnectBody, DisconnectedAnswer, EditBody, PublishBody, RevocationAnswer,
        StateBody, StreamBody, TokenAnswer, TokenBody, Usage, UserDisconnectBody,
    },
    limits::{HISTORY_PAGE_DEFAULT, HISTORY_PAGE_MAX, KEY_BYTES_MAX, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX},
    payload::Payload,
    position::INTEGER_MAX,
    revocation::RevocationBody,
    server_message::{Amended, Closed, HistoryPage, MembersPage, RoomInfo, StateSnapshot, StateVersion},
};

/// Every address that a caller may rely on, in the order in which it is read about.
#[must_use]
pub fn endpoints() -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    endpoints.extend(messages());
    endpoints.extend(listening());
    endpoints.extend(rooms());
    endpoints.extend(access());
    endpoints.extend(operations());
    endpoints
}

fn messages() -> Vec<Endpoint> {
    vec![
        Endpoint::new("POST", "/v1/rooms/{room}/publish", "Messages", "publish", "Publish into a room")
            .about("A user publishes as itself; `from` is for API keys.")
            .either("publish", "`publish`")
            .header(
                "Idempotency-Key",
                &json!({ "type": "string", "minLength": 1, "maxLength": KEY_BYTES_MAX }),
                "As `key` in the body.",
            )
            .body::<PublishBody>()
            .answers::<PublishAnswer>("Durable; an ephemeral has no offset.")
            .problem(409, "conflict"),
        Endpoint::new("GET", "/v1/rooms/{room}/messages", "Messages", "messages", "Read a room's history")
            .about("Pages ascend; without `before` or `after` the newest. `next` is the value for the same parameter.")
            .either("read", "`history`")
            .query("before", &offset(), "Below this offset; excludes `after`.")
            .query("after", &offset(), "Above this offset.")
            .query("limit", &limit(HISTORY_PAGE_DEFAULT, HISTORY_PAGE_MAX), "Messages a page.")
            .query("tags", &json!({ "type": "string" }), "Only what carries one of these, with commas.")
            .query("raw", &json!({ "type": "boolean" }), "The log as it is, edits and removals listed; API keys only.")
            .answers::<HistoryPage>("A page."),
        Endpoint::new("PATCH", "/v1/rooms/{room}/messages/{offset}", "Messages", "edit_message", "Edit a message")
            .either("edit", "`edit-own` (what the user published) or `edit-any`")
            .body::<EditBody>()
            .answers::<Amended>("The offset of the publication that says so.")
            .problem(404, "not_found"),
        Endpoint::new("DELETE", "/v1/rooms/{room}/messages/{offset}", "Messages", "remove_message", "Remove a message")
            .about("What it said is erased.")
            .either("edit", "`edit-own` (what the user published), `edit-any` or `moderate`")
            .answers::<Amended>("The offset of the publication that says so.")
            .problem(400, "invalid_argument")
            .problem(404, "not_found"),
        Endpoint::new("POST", "/v1/publish", "Messages", "publish_batch", "Publish up to 100 messages")
            .about("Each has its own result; one that is refused leaves the others alone. Those of one room keep their order.")
            .either("publish", "`publish` (told message by message)")
            .body::<BatchBody>()
            .answers::<BatchAnswer>("A result for each message, in their order."),
        Endpoint::new("POST", "/v1/users/{user}/publish", "Messages", "publish_to_user", "Publish to one user")
            .about("Into the room `user:{user}`, which that user alone may join.")
            .either("publish", "`publish`")
            .header(
                "Idempotency-Key",
                &json!({ "type": "string", "minLength": 1, "maxLength": KEY_BYTES_MAX }),
                "As `key` in the body.",
            )
            .body::<PublishBody>()
            .answers::<PublishAnswer>("Durable; an ephemeral has no offset.")
            .problem(404, "unknown_kind")
            .problem(409, "conflict"),
    ]
}

fn listening() -> Vec<Endpoint> {
    vec![
        Endpoint::new("GET", "/v1/rooms/{room}/events", "Listening", "events", "Follow a room by server-sent events")
            .about(
                "`publication`, `position` (both with the id `epoch:offset`), `ephemeral`, `gap` (why a recovery \
                 failed) and `close` (the room closed for good; a browser's next try gets 204). A comment every \
                 15 s. A reader is never a member. Rooms of public kinds need no credential.",
            )
            .either("read", "`join`")
            .query("token", &json!({ "type": "string" }), "A user's token, since a browser can set no header here.")
            .query("tags", &json!({ "type": "string" }), "Also what carries one of these, with commas.")
            .query("after", &json!({ "type": "string" }), "`epoch:offset`, or an offset in the present epoch.")
            .header("Last-Event-ID", &json!({ "type": "string" }), "The last event's id; wins over `after`.")
            .answers_events(&["publication", "position", "ephemeral", "gap", "close"], "The stream.")
            .answers_nothing(204, "The stream was closed for good.")
            .problem(503, "room_full"),
        Endpoint::new("POST", "/v1/rooms/{room}/stream", "Listening", "stream", "Join a room where WebSockets do not pass")
            .about(
                "Without `connection`, opens: `event: open {connection}`, then each frame of the WebSocket's protocol \
                 (MessagePack) in base64 as `event: frame`, and `event: close {code, reason}` at the end; a comment \
                 every 15 s. With `connection` and `session`, says a frame on a stream that is open. Rooms of public \
                 kinds need no credential.",
            )
            .token("`join`")
            .body::<StreamBody>()
            .answers_events(&["open", "frame", "close"], "The stream; or an empty object, where the frame was heard.")
            .answers::<Empty>("The frame was heard.")
            .problem(403, "blocked")
            .problem(404, "not_found")
            .problem(503, "room_full"),
        Endpoint::new("GET", "/v1/rooms/{room}/connect", "Listening", "connect", "Join a room over a WebSocket")
            .about(
                "With subprotocol `roomcast.v1.msgpack` or `roomcast.v1.json`, and the token as \
                 `roomcast.token.<jwt>` beside it. A refused upgrade that offered one of ours is accepted and \
                 closed at once with the refusal's close code.",
            )
            .token("`join`")
            .answers_nothing(101, "The connection; hello comes first.")
            .problem(400, "unsupported_protocol")
            .problem(426, "bad_request"),
    ]
}

fn rooms() -> Vec<Endpoint> {
    vec![
        Endpoint::new("GET", "/v1/rooms/{room}/members", "Rooms", "members", "List who is in a room")
            .either("read", "`presence`")
            .query("cursor", &json!({ "type": "string", "maxLength": 512 }), "The last page's `next`.")
            .query("limit", &limit(MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX), "Members a page.")
            .answers::<MembersPage>("A page."),
        Endpoint::new("GET", "/v1/rooms/{room}", "Rooms", "room", "Describe a room")
            .scope("read")
            .answers::<RoomInfo>("Its life, log, occupancy and timers."),
        Endpoint::new("GET", "/v1/rooms", "Rooms", "rooms", "List a tenant's rooms")
            .about("Those that are occupied or have stored data, by name.")
            .scope("admin")
            .query("prefix", &json!({ "type": "string", "maxLength": 161 }), "Only names that begin so.")
            .query("cursor", &json!({ "type": "string", "maxLength": 161 }), "The last page's `next`.")
            .query("limit", &limit(100, 1_000), "Rooms a page.")
            .answers::<RoomsPage>("A page."),
        Endpoint::new("GET", "/v1/rooms/{room}/state", "Rooms", "state", "Read a room's shared state")
            .either("read", "`join`")
            .answers::<StateSnapshot>("The snapshot."),
        Endpoint::new(
            "PATCH",
            "/v1/rooms/{room}/state",
            "Rooms",
            "write_state",
            "Write a room's shared state",
        )
        .about("All of the operations or none. Only a session can own a key.")
        .either("edit", "`state` (and `moderate` for what others own)")
        .body::<StateBody>()
        .answers::<StateVersion>("The room's counter after it.")
        .problem(409, "conflict"),
        Endpoint::new("POST", "/v1/rooms/{room}/call/{method}", "Rooms", "call", "Call a method of a room's behavior")
            .about(
                "The body is the method's arguments; it may be absent, which is null. A method that streams answers \
                 line by line: `{\"result\", \"more\": true}` a chunk, and last `{\"result\": null, \"more\": false}` or \
                 `{\"error\"}`, a problem. What a method itself refuses may carry `data`, as the behavior declares it.",
            )
            .either("call", "`call`")
            .body::<Args>()
            .body_may_be_absent()
            .answers::<Payload>("What the method returned.")
            .answers_lines::<Chunk>("What it streams.")
            .problem(400, "unsupported")
            .problem(404, "not_found")
            .problem(409, "invalid_transition")
            .problem(422, "method_failed"),
        Endpoint::new("POST", "/v1/rooms/{room}/disconnect", "Rooms", "disconnect", "Send somebody away")
            .about("Closes 3505. `block_for` keeps the user out, `0` lets it in again.")
            .either("moderate", "`moderate`")
            .body::<DisconnectBody>()
            .answers::<Closed>("How many connections were closed."),
        Endpoint::new("DELETE", "/v1/rooms/{room}", "Rooms", "delete_room", "End a room")
            .about("Everyone is closed 3510, and all that it stored goes.")
            .scope("admin")
            .answers::<Empty>("Gone."),
    ]
}

fn access() -> Vec<Endpoint> {
    vec![
        Endpoint::new("POST", "/v1/tokens", "Access", "issue_token", "Make a token for a user")
            .about("Of the API key's tenant, signed with the gateway's own key.")
            .scope("tokens")
            .body::<TokenBody>()
            .answers::<TokenAnswer>("The token.")
            .problem(501, "unsupported"),
        Endpoint::new("POST", "/v1/revocations", "Access", "revoke", "Revoke tokens")
            .about("Live connections are closed 3504; new ones and calls are refused `revoked`.")
            .scope("revoke")
            .body::<RevocationBody>()
            .answers::<RevocationAnswer>("Stored; how far it came."),
        Endpoint::new(
            "POST",
            "/v1/users/{user}/disconnect",
            "Access",
            "disconnect_user",
            "Send a user away everywhere",
        )
        .about("Closes 3505, in every room of the tenant. The body may be absent.")
        .scope("moderate")
        .body::<UserDisconnectBody>()
        .body_may_be_absent()
        .answers::<DisconnectedAnswer>("Stored; how far it came."),
    ]
}

fn operations() -> Vec<Endpoint> {
    vec![
        Endpoint::new(
            "GET",
            "/v1/webhooks/parked",
            "Operations",
            "parked",
            "List what webhook endpoints did not take",
        )
        .scope("admin")
        .query("cursor", &json!({ "type": "string" }), "The last page's `next`.")
        .query("limit", &limit(50, 200), "Batches a page.")
        .answers::<ParkedPage>("A page."),
        Endpoint::new(
            "POST",
            "/v1/webhooks/parked/{id}/replay",
            "Operations",
            "replay",
            "Post a parked batch once more",
        )
        .about("Where the endpoint takes it, it is parked no longer.")
        .scope("admin")
        .answers::<ReplayAnswer>("What the endpoint said.")
        .problem(404, "not_found")
        .problem(409, "conflict")
        .problem(501, "unsupported"),
        Endpoint::new("DELETE", "/v1/webhooks/parked/{id}", "Operations", "forget", "Forget a parked batch")
            .scope("admin")
            .answers::<Empty>("Gone.")
            .problem(404, "not_found"),
        Endpoint::new("GET", "/v1/usage", "Operations", "usage", "What a tenant uses")
            .scope("admin")
            .answers::<Usage>("Of each kind, and together."),
        Endpoint::new("GET", "/metrics", "Operations", "metrics", "What a tenant uses, for Prometheus")
            .scope("metrics")
            .answers_text("text/plain", "At most 60 s stale."),
        Endpoint::new("GET", "/healthz", "Operations", "health", "Tell what is wrong")
            .answers::<Health>("Nothing is."),
        Endpoint::new(
            "GET",
            "/.well-known/jwks.json",
            "Operations",
            "jwks",
            "The keys that the gateway signs with",
        )
        .answers::<Jwks>("Their public halves."),
        Endpoint::new("GET", "/openapi.json", "Operations", "openapi", "This document")
            .answers::<OpenApi>("OpenAPI 3.1."),
        Endpoint::new("GET", "/docs", "Operations", "docs", "This document, to read")
            .answers_text("text/html", "A page."),
    ]
}

fn offset() -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": INTEGER_MAX })
}

fn limit(default: u32, max: u32) -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": max, "default": default })
}
