//! Disconnecting users, and keeping them out for a time.

use std::collections::BTreeMap;

use schemas::{
    Claims, CloseCode, ConnectionId, ErrorCode, UserId,
    http::{DisconnectCall, Who},
    limits,
    server_message::{Closed, LeaveReason, RequestError, RequestResult},
};

use crate::{
    flush::unavailable,
    lifecycle::Transition,
    presence::MemberKey,
    room::{RETRY_AFTER_MS, Room},
    storage::{Storage, StorageError, Writes},
    timer::Timer,
};

/// Who is kept out, and until when, in milliseconds since 1970.
#[derive(Debug, Clone, Default)]
pub(crate) struct Blocks(BTreeMap<UserId, u64>);

impl Blocks {
    pub(crate) fn restored(rows: Vec<(UserId, u64)>) -> Blocks {
        Blocks(rows.into_iter().collect())
    }

    pub(crate) fn holds(&self, user: &UserId, now: u64) -> bool {
        self.0.get(user).is_some_and(|until| now < *until)
    }

    fn next_end(&self) -> Option<u64> {
        self.0.values().min().copied()
    }

    fn ended(&self, now: u64) -> Vec<UserId> {
        self.0.iter().filter(|(_, until)| **until <= now).map(|(user, _)| user.clone()).collect()
    }

    /// Those that make place for one more: they end first.
    fn in_the_way(&self, user: &UserId) -> Option<UserId> {
        if self.0.len() < limits::BLOCKS_MAX || self.0.contains_key(user) {
            return None;
        }
        self.0.iter().min_by_key(|(_, until)| **until).map(|(user, _)| user.clone())
    }

    fn committed(&mut self, writes: &Writes) {
        self.0.extend(writes.blocks_put.iter().cloned());
        for user in &writes.blocks_removed {
            self.0.remove(user);
        }
    }
}

fn blocked() -> RequestError {
    RequestError::new(None, ErrorCode::Blocked, "the user is blocked in this room")
}

impl Room {
    /// Whether a connection with these claims may be opened, as far as the room can tell before hello.
    ///
    /// # Errors
    /// The code to close it with.
    pub fn admit(&self, now: u64, claims: &Claims) -> Result<(), CloseCode> {
        if claims.user.as_ref().is_some_and(|user| self.blocks.holds(user, now)) {
            return Err(CloseCode::BlockedOrKicked);
        }
        if self.is_crowded() {
            return Err(CloseCode::RoomFull);
        }
        Ok(())
    }

    /// Refuses what a blocked user asks over HTTP.
    pub(crate) fn check_block(&self, now: u64, user: &UserId) -> Result<(), RequestError> {
        if self.blocks.holds(user, now) {
            return Err(blocked());
        }
        Ok(())
    }

    pub(crate) fn disconnect(
        &mut self,
        now: u64,
        call: DisconnectCall,
        storage: &mut dyn Storage,
    ) -> Result<RequestResult, RequestError> {
        let DisconnectCall { who, reason, block_ms } = call;
        let users = self.users_of(&who);
        if let Some(block_ms) = block_ms {
            if users.is_empty() {
                let message = "whose it is cannot be told: a block needs a user, or one who is here";
                return Err(RequestError::new(None, ErrorCode::NotFound, message));
            }
            self.block(now, &users, block_ms, storage).map_err(|_| unavailable(None))?;
        }
        let these = self.connections_of(&who);
        for id in &these {
            self.expel(*id, CloseCode::BlockedOrKicked, reason.clone());
        }
        for key in self.members_of(&who) {
            self.end_membership(&key, LeaveReason::Lost);
        }
        self.end_http_calls(now, &who, &users);
        Ok(RequestResult::Closed(Closed { closed: these.len() as u32 }))
    }

    /// Those over HTTP have no session: they end with the user, or the user's block.
    fn end_http_calls(&mut self, now: u64, who: &Who, users: &[UserId]) {
        let is_of_user = matches!(who, Who::User(_));
        let (out, here): (Vec<&UserId>, Vec<&UserId>) =
            users.iter().partition(|user| self.blocks.holds(user, now));
        self.end_calls_of_users(|claims| {
            let user = claims.user.as_ref()?;
            let disconnected = || RequestError::new(None, ErrorCode::Cancelled, "the user was disconnected");
            match out.contains(&user) {
                true => Some(blocked()),
                false => (is_of_user && here.contains(&user)).then(disconnected),
            }
        });
    }

    /// Those that have said hello, and those that have not.
    fn connections_of(&self, who: &Who) -> Vec<ConnectionId> {
        match who {
            Who::User(user) => {
                let its = self.connections.iter().filter(|(_, one)| one.claims.user.as_ref() == Some(user));
                its.map(|(id, _)| id).collect()
            }
            Who::Session(session) => self.connections.of_session(session).collect(),
            Who::Connection(id) => self.connections.get(*id).map(|_| *id).into_iter().collect(),
        }
    }

    /// Members, with those whose connection was lost.
    fn members_of(&self, who: &Who) -> Vec<MemberKey> {
        let named = |user: &UserId, session| match who {
            Who::User(wanted) => user == wanted,
            Who::Session(wanted) => session == wanted,
            Who::Connection(_) => false,
        };
        let rows = self.presence.rows().filter(|row| named(&row.user, &row.session));
        rows.map(|row| (row.user.clone(), row.session.clone())).collect()
    }

    fn users_of(&self, who: &Who) -> Vec<UserId> {
        if let Who::User(user) = who {
            return vec![user.clone()];
        }
        let connected = self.connections_of(who).into_iter();
        let connected = connected.filter_map(|id| self.connections.get(id)?.claims.user.clone());
        let members = self.members_of(who).into_iter().map(|(user, _)| user);
        let mut users: Vec<UserId> = connected.chain(members).collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    /// Commits the block of each, or its end.
    fn block(
        &mut self,
        now: u64,
        users: &[UserId],
        block_ms: u64,
        storage: &mut dyn Storage,
    ) -> Result<(), StorageError> {
        for user in users {
            let mut writes = Writes::default();
            if block_ms == 0 {
                if !self.blocks.0.contains_key(user) {
                    continue;
                }
                writes.blocks_removed.push(user.clone());
            } else {
                writes.blocks_removed.extend(self.blocks.in_the_way(user));
                writes.blocks_put.push((user.clone(), now + block_ms.min(limits::BLOCK_MAX_MS)));
            }
            self.found(now, storage)?;
            let lifecycle = self.lifecycle.after(Transition::Touch, now).unwrap_or(self.lifecycle);
            let lifecycle = lifecycle.noticed_activity(now).unwrap_or(lifecycle);
            if lifecycle != self.lifecycle {
                writes.meta = Some(self.meta(lifecycle));
            }
            storage.commit(&writes)?;
            self.lifecycle = lifecycle;
            self.blocks.committed(&writes);
        }
        self.set_storage_timers(now);
        self.set_blocks_timer(now);
        Ok(())
    }

    /// When the next block ends.
    pub(crate) fn set_blocks_timer(&mut self, now: u64) {
        match self.blocks.next_end() {
            Some(at) => self.timers.set(Timer::Blocks, at.max(now)),
            None => self.timers.clear(&Timer::Blocks),
        }
    }

    /// Forgets blocks that have ended.
    pub(crate) fn end_blocks(&mut self, now: u64, storage: &mut dyn Storage) {
        let writes = Writes { blocks_removed: self.blocks.ended(now), ..Writes::default() };
        if !writes.is_empty() {
            if storage.commit(&writes).is_err() {
                return self.timers.set(Timer::Blocks, now + RETRY_AFTER_MS);
            }
            self.blocks.committed(&writes);
        }
        self.set_blocks_timer(now);
    }
}
