//! A newer token on a live connection: what it allows takes the place of what the older one did, in one step.
//!
//! The room asks its shell to verify ([`Output::Verify`]), and goes on meanwhile under the older claims. One token a
//! connection is verified at a time.

use schemas::{
    Capability, Claims, CloseCode, ConnectionId, ErrorCode, Revocation, ServerMessage,
    client_message::TokenText,
    config::PresenceMode,
    limits,
    server_message::{
        Closed, Detail, LeaveReason, Left, PresenceDiff, Refreshed, RequestError, RequestResult,
    },
};

use crate::{
    connection::Phase,
    input::TokenRefusal,
    output::Output,
    presence::{MemberKey, MemberRow},
    room::{RETRY_AFTER_MS, Room},
    timer::Timer,
};

impl Room {
    pub(crate) fn on_auth(&mut self, now: u64, id: ConnectionId, request: u32, token: TokenText) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.claims.expires_at.is_none() {
            let message = "the connection was let in without a token";
            return self.reject(id, RequestError::new(Some(request), ErrorCode::Forbidden, message));
        }
        if connection.verifying.is_some() {
            let message = "another token of this connection is being verified";
            let mut error = RequestError::new(Some(request), ErrorCode::RateLimited, message);
            error.retry_after_ms = Some(RETRY_AFTER_MS);
            return self.refuse_for_rate(now, id, error);
        }
        connection.verifying = Some(request);
        self.outputs.push(Output::Verify { connection: id, request, token });
    }

    /// The shell has looked at a token.
    pub(crate) fn on_verified(
        &mut self,
        now: u64,
        id: ConnectionId,
        request: u32,
        result: Result<Claims, TokenRefusal>,
    ) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.verifying != Some(request) {
            // The room lost its memory since: whoever asked knows nothing of it.
            return;
        }
        connection.verifying = None;
        let Phase::Joined(joined) = &connection.phase else { return };
        match result {
            Ok(claims) if claims.user.as_ref() != Some(&joined.user) => {
                let (code, reason) = (ErrorCode::Forbidden, "forbidden");
                let message = "the token is another user's".to_owned();
                self.refuse_token(now, id, request, TokenRefusal { code, reason, message });
            }
            Ok(claims) if !claims.capabilities.has(Capability::Join) => {
                self.expel(id, CloseCode::Forbidden, None);
            }
            Ok(claims) => self.take_claims(now, id, request, claims),
            Err(refusal) => self.refuse_token(now, id, request, refusal),
        }
    }

    fn refuse_token(&mut self, now: u64, id: ConnectionId, request: u32, refusal: TokenRefusal) {
        let TokenRefusal { code, reason, message } = refusal;
        let mut error = RequestError::new(Some(request), code, message);
        error.details.push(Detail { path: "token".to_owned(), message: reason.to_owned() });
        let Some(connection) = self.connections.get_mut(id) else { return };
        let (window_ms, max) = (limits::BAD_REQUEST_WINDOW_MS, limits::REFRESHES_REFUSED_MAX);
        let is_its_fault = code != ErrorCode::Unavailable;
        if is_its_fault && connection.tokens_refused.count(now, window_ms, max) {
            self.send_now(id, &ServerMessage::Error(error));
            self.refuse_connection(now, id, CloseCode::Unauthorized);
        } else {
            self.reject(id, error);
        }
    }

    fn take_claims(&mut self, now: u64, id: ConnectionId, request: u32, claims: Claims) {
        for timer in [Timer::Expiring(id), Timer::Expired(id)] {
            self.timers.clear(&timer);
        }
        self.watch_expiry(now, id, claims.expires_at);
        let expires_at = claims.expires_at.unwrap_or(now);
        self.connections.reclaim(id, claims);
        self.follow_presence(id);
        self.attach(now, id);
        self.staging.answer(id, request, RequestResult::Refreshed(Refreshed { expires_at }));
    }

    /// The member is listed, and shown others, as its claims now say.
    fn follow_presence(&mut self, id: ConnectionId) {
        let mode = self.setup.config.presence.mode;
        let Some(connection) = self.connections.get_mut(id) else { return };
        let listed = connection.claims.capabilities.has(Capability::Presence) && mode != PresenceMode::Off;
        let info = connection.claims.info.clone();
        let Phase::Joined(joined) = &mut connection.phase else { return };
        let key = (joined.user.clone(), joined.session.clone());
        let sees_members = listed && joined.wants_members;
        let saw_members = std::mem::replace(&mut joined.sees_members, sees_members);
        match (saw_members, sees_members) {
            (false, true) => self.show_members(id),
            (true, false) => self.tell_of_own_leaving(id, &key),
            (true, true) | (false, false) => {}
        }
        if let Some(row) = self.presence.get(&key) {
            let data = row.data.clone().filter(|_| listed);
            self.presence.put(MemberRow { listed, info, data, ..row.clone() });
        }
    }

    /// What a welcome would have shown, ahead of the changes that come with the flush.
    fn show_members(&mut self, id: ConnectionId) {
        if !self.lists_members() {
            return self.send_now(id, &ServerMessage::Occupancy(self.presence.occupancy()));
        }
        let (joined, _) = self.presence.page(None, u32::MAX, None);
        let diff = PresenceDiff { joined, ..PresenceDiff::default() };
        if !diff.is_empty() {
            self.send_now(id, &ServerMessage::Presence(diff));
        }
    }

    /// The last that it is told of members: that it is none of them.
    fn tell_of_own_leaving(&mut self, id: ConnectionId, (user, session): &MemberKey) {
        if self.lists_members() {
            let left = Left { session: session.clone(), user: user.clone(), reason: LeaveReason::Left };
            let diff = PresenceDiff { left: vec![left], ..PresenceDiff::default() };
            self.send_now(id, &ServerMessage::Presence(diff));
        }
    }

    /// Closes those whose token counts no longer.
    pub(crate) fn revoke(&mut self, now: u64, revocations: &[Revocation]) -> RequestResult {
        let is_revoked = |claims: &Claims| {
            let bearer = claims.bearer();
            bearer.is_some_and(|bearer| revocations.iter().any(|one| one.lasts(now) && one.covers(bearer)))
        };
        let these = self.connections.iter().filter(|(_, connection)| is_revoked(&connection.claims));
        let these: Vec<ConnectionId> = these.map(|(id, _)| id).collect();
        for id in &these {
            self.expel(*id, CloseCode::Revoked, None);
        }
        let revoked = || RequestError::new(None, ErrorCode::Unauthorized, "the token was revoked");
        self.end_calls_of_users(|claims| is_revoked(claims).then(revoked));
        RequestResult::Closed(Closed { closed: these.len() as u32 })
    }

    /// Closes a connection that is to stay away; its membership ends at once.
    pub(crate) fn expel(&mut self, id: ConnectionId, code: CloseCode, reason: Option<String>) {
        if self.connections.get(id).is_none() {
            return;
        }
        self.outputs.push(Output::Close { connection: id, code, reason });
        if let Some(key) = self.forget(id) {
            self.end_membership(&key, LeaveReason::Lost);
        }
    }
}
