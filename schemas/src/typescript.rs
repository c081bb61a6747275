//! The TypeScript declarations of what a client sees, for `cargo xtask codegen`.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};

use ts_rs::{Config, TS};

use crate::{
    Capability, client_message, codes, directory, http, ids, position, revocation, server_message, webhook,
};

const HEAD: &str = "// Written by `cargo xtask codegen` from the crate `schemas`. Do not edit.\n";

macro_rules! declarations {
    ($($type:ty),* $(,)?) => {{
        let config = Config::default().with_large_int("number");
        [$((<$type as TS>::docs(), <$type as TS>::decl(&config))),*]
            .map(|(docs, declared)| format!("\n{}export {declared}\n", docs.unwrap_or_default()))
            .concat()
    }};
}

/// What travels over a WebSocket: one module, every declaration exported, in a fixed order.
#[must_use]
pub fn module() -> String {
    let declared = declarations!(
        ids::ConnectionId,
        ids::PublicSession,
        ids::UserId,
        ids::RoomName,
        position::Epoch,
        position::Offset,
        position::Position,
        codes::ErrorCode,
        client_message::To,
        server_message::Author,
        server_message::Edited,
        server_message::Reaction,
        server_message::Publication,
        server_message::Ephemeral,
        server_message::Member,
        server_message::LeaveReason,
        server_message::Left,
        server_message::PresenceDiff,
        server_message::Occupancy,
        server_message::RecoveryFailure,
        server_message::WelcomeLimits,
        server_message::StateEntry,
        server_message::StateSnapshot,
        server_message::StateWrite,
        server_message::StateChange,
        server_message::Welcome,
        server_message::Published,
        server_message::Amended,
        server_message::StateVersion,
        server_message::HistoryPage,
        server_message::MembersPage,
        server_message::Tags,
        server_message::Detail,
        server_message::RequestError,
        server_message::NoticeCode,
    );
    HEAD.to_owned() + &declared
}

/// What the HTTP API and webhooks carry besides: the module beside [`module`]'s.
#[must_use]
pub fn http_module() -> String {
    let declared = declarations!(
        ids::Tenant,
        http::FromBody,
        http::PublishBody,
        http::Problem,
        http::BatchResult,
        http::BatchAnswer,
        http::DisconnectBody,
        http::TokenBody,
        http::TokenAnswer,
        http::RevocationAnswer,
        http::DisconnectedAnswer,
        http::KindUsage,
        http::Usage,
        revocation::RevocationBody,
        server_message::Closed,
        server_message::LifecycleState,
        server_message::LogInfo,
        server_message::StateInfo,
        server_message::TimerInfo,
        server_message::RoomInfo,
        directory::RoomEntry,
        directory::RoomsPage,
        directory::ParkedEntry,
        directory::ParkedPage,
        directory::ReplayAnswer,
    );
    let imported =
        "ConnectionId, Detail, Epoch, Occupancy, Offset, PublicSession, Published, RoomName, To, UserId";
    let capabilities = union(
        "Capability",
        "One thing that a token may allow in a room.",
        Capability::ALL.map(Capability::as_str),
    );
    let events = union(
        "WebhookEventType",
        "What a webhook may tell of.",
        webhook::EventKind::ALL.map(webhook::EventKind::as_str),
    );
    format!("{HEAD}\nimport type {{ {imported} }} from \"./wire.js\";\n{capabilities}{events}{declared}")
}

fn union<const COUNT: usize>(name: &str, about: &str, names: [&str; COUNT]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    format!("\n/** {about} */\nexport type {name} = {};\n", names.join(" | "))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_named_type_is_declared_once() {
        let module = super::module();
        for name in ["Publication", "Member", "Welcome", "Offset", "Epoch"] {
            let declared = module.matches(&format!("export type {name} =")).count();
            assert_eq!(declared, 1, "{name}");
        }
    }

    #[test]
    fn the_http_module_declares_what_it_names_or_imports_it() {
        let module = super::http_module();
        for name in ["PublishBody", "BatchResult", "RoomInfo", "Capability", "WebhookEventType"] {
            let declared = module.matches(&format!("export type {name} =")).count();
            assert_eq!(declared, 1, "{name}");
        }
        assert!(!module.contains("bigint"), "{module}");
    }
}
