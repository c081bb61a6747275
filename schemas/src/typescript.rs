//! The TypeScript declarations of what a client sees, for `cargo xtask codegen`.

use ts_rs::{Config, TS};

use crate::{client_message, codes, ids, position, server_message};

/// One module, every declaration exported, in a fixed order.
#[must_use]
pub fn module() -> String {
    let config = Config::default();
    let mut text =
        String::from("// Written by `cargo xtask codegen` from the crate `schemas`. Do not edit.\n");
    macro_rules! declare {
        ($($type:ty),* $(,)?) => {
            $(
                text.push_str("\nexport ");
                text.push_str(&<$type as TS>::decl(&config));
                text.push('\n');
            )*
        };
    }
    declare!(
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
    text
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
}
