//! Who is sent away and kept out: a backend disconnects, blocks and revokes; and what follows from that, by the
//! protocol's text (R-BLOCK-1 to R-BLOCK-5, R-REV-5), not by the room's code.

use std::collections::{BTreeMap, BTreeSet};

use room_core::{Input, TokenRefusal};
use schemas::{
    Claims, CloseCode, ConnectionId, ErrorCode, PublicSession, Revocation, Revoked, UserId,
    directory::Reported,
    http::{DisconnectCall, RoomCall, Who},
    server_message::{RequestError, RequestResult},
};

use crate::{
    kept::payload_of,
    life::Asking,
    player::user,
    refreshing::Worth,
    world::{USERS, World},
};

/// Blocks end by themselves within a world's end.
const BLOCK_MAX_MS: u64 = 60_000;

#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Who is kept out for certain, and until when, by the room's clock.
    certain: BTreeMap<UserId, u64>,
    /// Who may be.
    possible: BTreeMap<UserId, u64>,
    /// How often the room was wiped when this was known.
    wipes: u64,
    /// Everything that was ever revoked.
    revoked: Vec<Revocation>,
    /// Whom the step under way disconnects.
    named: Vec<Who>,
}

/// A backend's `disconnect`, and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Disconnecting {
    who: Who,
    block_ms: Option<u64>,
    user: Option<UserId>,
}

impl Gate {
    /// A step of the room, by its clock.
    fn stepped(&mut self, now: u64, wipes: u64) {
        if self.wipes != wipes {
            self.wipes = wipes;
            self.certain.clear();
            self.possible.clear();
        }
        self.certain.retain(|_, until| now < *until);
        self.named.clear();
    }

    /// Somebody asks for a block, or for its end; nobody knows yet whether it comes to that.
    fn asked(&mut self, user: &UserId, block_ms: u64, now: u64) {
        if block_ms == 0 {
            self.certain.remove(user);
            return;
        }
        let until = now + block_ms;
        self.certain.entry(user.clone()).and_modify(|at| *at = until.min(*at));
        let possible = self.possible.entry(user.clone()).or_insert(until);
        *possible = until.max(*possible);
    }

    pub(crate) fn is_revoked(&self, claims: &Claims) -> bool {
        let covers = |one: &Revocation| claims.bearer().is_some_and(|bearer| one.covers(bearer));
        self.revoked.iter().any(covers)
    }

    fn answered(&mut self, user: &UserId, block_ms: u64, now: u64) {
        if block_ms == 0 {
            self.certain.remove(user);
            self.possible.remove(user);
            return;
        }
        self.certain.insert(user.clone(), now + block_ms);
        self.possible.insert(user.clone(), now + block_ms);
    }
}

impl World {
    /// Behind each step: what it says is judged by what was known before.
    pub(crate) fn gate_stepped(&mut self) {
        self.gate.stepped(self.clock.now().room, self.object.storage.wipes());
    }

    /// R-BLOCK-2: who is blocked is not welcomed.
    pub(crate) fn judge_welcome(&mut self, connection: ConnectionId) {
        let members: Vec<_> = self.object.members().filter(|(id, _)| *id == connection).collect();
        for (_, (user, _)) in members {
            let until = self.gate.certain.get(user);
            assert_eq!(until, None, "R-BLOCK-2: {user} is blocked, and was welcomed");
        }
    }

    /// R-BLOCK-1, R-BLOCK-2, R-BLOCK-5: nobody is sent away for nothing.
    pub(crate) fn judge_expelled(&mut self, closes: &[(ConnectionId, CloseCode)]) {
        for (connection, code) in closes {
            match code {
                CloseCode::Revoked => {
                    let claims = self.object.closed.iter().find(|(id, _)| id == connection);
                    let Some((_, claims)) = claims else { continue };
                    assert!(self.gate.is_revoked(claims), "R-BLOCK-5: {claims:?} is not revoked");
                }
                CloseCode::BlockedOrKicked => {
                    let now = self.clock.now().room;
                    let user = self.pipes.get(connection).and_then(|pipe| pipe.user.as_ref());
                    let until = user.and_then(|user| self.gate.possible.get(user));
                    let is_blocked = until.is_some_and(|until| now < *until);
                    let is_named = !self.gate.named.is_empty();
                    assert!(is_blocked || is_named, "R-BLOCK-2: {user:?} is not blocked, and kept out");
                }
                _ => {}
            }
        }
    }

    // --- a backend

    fn some_who(&mut self) -> (Who, Option<UserId>) {
        if self.random.chance(50) {
            let user = user(self.random.below(USERS));
            return (Who::User(user.clone()), Some(user));
        }
        let members: Vec<(ConnectionId, (UserId, PublicSession))> =
            self.object.members().map(|(id, member)| (id, member.clone())).collect();
        if members.is_empty() {
            return (Who::Connection(ConnectionId::new(self.random.bits())), None);
        }
        let (connection, (user, session)) = self.random.pick(&members).clone();
        let who = if self.random.chance(50) { Who::Session(session) } else { Who::Connection(connection) };
        (who, Some(user))
    }

    pub(crate) fn disconnect_some(&mut self) {
        let (who, user) = self.some_who();
        let block_ms = match self.random.below(10) {
            0..=3 => None,
            4 => Some(0),
            _ => Some(1_000 + self.random.below(BLOCK_MAX_MS)),
        };
        self.tally.count("disconnects asked for");
        self.disconnect(who, user, block_ms);
    }

    fn disconnect(&mut self, who: Who, user: Option<UserId>, block_ms: Option<u64>) {
        // What it may lose is not this request.
        self.measure();
        let now = self.clock.now().room;
        self.gate.stepped(now, self.object.storage.wipes());
        if let (Some(user), Some(block_ms)) = (&user, block_ms) {
            self.gate.asked(user, block_ms, now);
        }
        let named = self.sessions_of(&who);
        let quiet = self.quietness();
        let call = DisconnectCall { who: who.clone(), reason: None, block_ms };
        let asking = Asking::Disconnect(Disconnecting { who, block_ms, user });
        self.ask(asking, RoomCall::Disconnect(call));
        self.judge_ended(named, quiet);
    }

    /// What a fault would change.
    pub(crate) fn quietness(&self) -> (u64, u64) {
        (self.object.restores, self.object.storage.failures())
    }

    fn sessions_of(&self, who: &Who) -> BTreeSet<(UserId, PublicSession)> {
        let is_meant = |id: ConnectionId, (user, session): &(UserId, PublicSession)| match who {
            Who::User(wanted) => user == wanted,
            Who::Session(wanted) => session == wanted,
            Who::Connection(wanted) => id == *wanted,
        };
        let members = self.object.members().filter(|(id, member)| is_meant(*id, member));
        members.map(|(_, member)| member.clone()).collect()
    }

    /// R-BLOCK-1, R-BLOCK-5: a membership ends at once, and has no grace.
    fn judge_ended(&mut self, named: BTreeSet<(UserId, PublicSession)>, quiet: (u64, u64)) {
        if named.is_empty() || self.object.restores != quiet.0 {
            return;
        }
        self.pass(self.object.setup.config.flush_ms + 20);
        let is_settled = self.object.is_awake() && self.object.turn_at().is_none();
        if self.quietness() != quiet || !is_settled {
            return;
        }
        let here: BTreeSet<_> = self.object.members().map(|(_, member)| member.clone()).collect();
        let rows = self.object.storage.load().members;
        let ghost = rows.iter().find(|row| {
            let key = (row.user.clone(), row.session.clone());
            named.contains(&key) && !here.contains(&key)
        });
        assert_eq!(ghost, None, "R-BLOCK-1, R-BLOCK-5: it was sent away, and is a member");
        self.tally.count("memberships ended from outside");
    }

    pub(crate) fn disconnected(
        &mut self,
        asking: &Disconnecting,
        result: Result<RequestResult, RequestError>,
    ) {
        let Disconnecting { who, block_ms, user } = asking;
        let now = self.clock.now().room;
        let closed = match result {
            Ok(RequestResult::Closed(closed)) => closed.closed,
            Ok(other) => panic!("R-BLOCK-1: {asking:?} was answered with {other:?}"),
            Err(error) => {
                let is_true = match error.code {
                    ErrorCode::NotFound => block_ms.is_some() && !matches!(who, Who::User(_)),
                    code => code == ErrorCode::Unavailable,
                };
                assert!(is_true, "R-BLOCK-2: {asking:?} was refused with {error:?}");
                return self.tally.count("disconnects refused");
            }
        };
        if let (Some(user), Some(block_ms)) = (user, block_ms) {
            self.gate.answered(user, *block_ms, now);
            self.tally.count(if *block_ms > 0 { "users blocked" } else { "blocks lifted" });
        }
        self.gate.named.push(who.clone());
        self.tally.count_many("", "connections that a backend closed", closed.into());
        let stays = |(id, claims): (ConnectionId, Claims)| match who {
            Who::User(wanted) => claims.user.as_ref() == Some(wanted),
            Who::Connection(wanted) => id == *wanted,
            Who::Session(_) => false,
        };
        assert!(!self.object.claims().any(stays), "R-BLOCK-1: {asking:?} was answered, and one stays");
        assert_eq!(self.sessions_of(who).len(), 0, "R-BLOCK-1: {asking:?} was answered, and one stays");
    }

    /// A user's token over HTTP: whoever is blocked is refused.
    pub(crate) fn user_publishes_over_http(&mut self) {
        let user = user(self.random.below(USERS));
        let number = self.next_number();
        let call = crate::asking::call_of(payload_of(number));
        let call = RoomCall::ByUser {
            user: user.clone(),
            capabilities: schemas::Capabilities::all(),
            call: Box::new(RoomCall::Publish(call)),
        };
        self.measure();
        self.gate.stepped(self.clock.now().room, self.object.storage.wipes());
        let is_blocked = self.gate.certain.contains_key(&user);
        self.ask(Asking::ByUser { user, number, is_blocked }, call);
    }

    /// R-BLOCK-2.
    pub(crate) fn user_heard(&mut self, user: &UserId, is_blocked: bool, code: Option<ErrorCode>) {
        match code {
            Some(ErrorCode::Blocked) => {
                self.tally.count("blocked users refused over HTTP");
                let now = self.clock.now().room;
                let until = self.gate.possible.get(user);
                assert!(until.is_some_and(|until| now < *until), "R-BLOCK-2: {user} is not blocked");
            }
            _ => assert!(!is_blocked || code == Some(ErrorCode::Unavailable), "R-BLOCK-2: {user} is blocked"),
        }
    }

    /// No block outlives the end of faults.
    pub(crate) fn lift_blocks(&mut self) {
        for _ in 0..3 {
            let blocked: Vec<UserId> = self.gate.possible.keys().cloned().collect();
            for user in blocked {
                self.disconnect(Who::User(user.clone()), Some(user), Some(0));
            }
        }
        assert!(self.gate.possible.is_empty(), "R-BLOCK-2: a block cannot be ended");
    }

    // --- revocation

    /// By user, by token, or of all; told to the room, or to the directory alone where that knows of nobody there.
    pub(crate) fn revoke_some(&mut self) {
        let now = self.clock.now().room;
        let claims: Vec<Claims> = self.object.claims().map(|(_, claims)| claims).collect();
        let claims: Vec<&Claims> = claims.iter().filter(|claims| claims.bearer().is_some()).collect();
        if claims.is_empty() {
            return;
        }
        let one = *self.random.pick(&claims);
        let tokens = match (self.random.below(10), &one.user, &one.jti) {
            (0..=4, Some(user), _) => Revoked::User(user.clone()),
            (5..=8, _, Some(jti)) => Revoked::Jti(jti.clone()),
            _ => Revoked::All,
        };
        let issued_before = (!matches!(tokens, Revoked::Jti(_))).then_some(now + 1);
        let revocation = Revocation { tokens, issued_before, until: now + 3_600_000 };
        self.tally.count("revocations");
        self.gate.revoked.push(revocation.clone());
        if !self.directory_revokes(&revocation) {
            return self.tally.count("revocations that the directory keeps for later");
        }
        let covered = self.covered_by(std::slice::from_ref(&revocation));
        let named = self.object.members().filter(|(id, _)| covered.contains(id));
        let named = named.map(|(_, member)| member.clone()).collect();
        let quiet = self.quietness();
        self.ask(Asking::Revoke(revocation.clone()), RoomCall::Revoke(vec![revocation]));
        self.judge_ended(named, quiet);
    }

    fn covered_by(&self, revocations: &[Revocation]) -> BTreeSet<ConnectionId> {
        let now = self.clock.now().room;
        let is_covered = |claims: &Claims| {
            let bearer = claims.bearer();
            bearer.is_some_and(|bearer| revocations.iter().any(|one| one.lasts(now) && one.covers(bearer)))
        };
        self.object.claims().filter(|(_, claims)| is_covered(claims)).map(|(id, _)| id).collect()
    }

    /// R-BLOCK-5: whose token is revoked is gone.
    pub(crate) fn revoked(&mut self, revocation: &Revocation, closed: u32) {
        let stays = self.covered_by(std::slice::from_ref(revocation));
        assert!(stays.is_empty(), "R-BLOCK-5: {revocation:?} was answered, and {stays:?} stay");
        self.tally.count_many("", "connections revoked", closed.into());
    }

    /// The directory answers a report, and has been told of what was revoked meanwhile.
    pub(crate) fn report_ends(&mut self, answer: Option<Reported>) {
        let revocations = answer.clone().map(|answer| answer.revocations).unwrap_or_default();
        let restores = self.object.restores;
        let is_done = self.server(Input::Reported { answer });
        if revocations.is_empty() || !is_done || self.object.restores != restores {
            return;
        }
        self.tally.count("revocations learnt with a report");
        let stays = self.covered_by(&revocations);
        assert!(stays.is_empty(), "R-REV-5: {revocations:?} were told, and {stays:?} stay");
    }

    /// A gateway takes no token that is revoked.
    pub(crate) fn unless_revoked(&self, claims: Claims) -> Worth {
        if !self.gate.is_revoked(&claims) {
            return Ok(claims);
        }
        let (code, reason) = (ErrorCode::Unauthorized, "revoked");
        Err(TokenRefusal { code, reason, message: "no".to_owned() })
    }
}
