//! Listeners show newer tokens on live connections, and the shell looks at each in its own time.
//!
//! What the present token allows is known to the word: a listener's claims change with the answer (R-FRESH-1), which
//! leaves with the first flush that goes by the newer ones.

use room_core::TokenRefusal;
use schemas::{
    Capability, Claims, ClientMessage, ConnectionId, ErrorCode, Position, TokenId,
    client_message::TokenText,
    limits,
    server_message::{RequestError, RequestResult},
};

use crate::{
    errands::Errand,
    kept::Stamp,
    listener::{Listener, What},
    network::Peer,
    player::{some_capabilities, some_own_tags, user},
    world::World,
};

/// What a token is worth.
pub(crate) type Worth = Result<Claims, TokenRefusal>;

/// So long a player's newer token lives.
const PLAYERS_TOKEN_MS: u64 = 120_000;
/// Longer than any newer token lives, and the room has then to close its connection …
const OUTLIVED_AFTER_MS: u64 = 260_000;
/// … within this.
const CLOSED_WITHIN_MS: u64 = 60_000;
/// The shell may take so long over a token.
const VERIFIED_WITHIN_MS: u64 = 20_000;

impl Listener {
    /// R-FRESH-1: all of it stands from now on.
    fn take_claims(&mut self, claims: Claims) {
        let own = claims.tags.iter().chain(&self.subscribed);
        let mut tags: Vec<String> = own.cloned().collect();
        tags.sort_unstable();
        tags.dedup();
        self.observer.eyes.tags = tags;
        self.claims = claims;
        let sees_members = self.wants_members && self.may(Capability::Presence);
        if sees_members && !self.sees_members {
            self.roster.clear();
        }
        self.sees_members = sees_members;
    }

    /// It is told of members, since the newer token lets it: ahead of the answer.
    pub(crate) fn begins_to_see_members(&mut self) {
        let will_see = self.refresh.as_ref().is_some_and(|worth| {
            worth.as_ref().is_ok_and(|claims| claims.capabilities.has(Capability::Presence))
        });
        if !self.sees_members && will_see && self.wants_members {
            self.sees_members = true;
            self.roster.clear();
        }
    }
}

impl World {
    /// One more token, with a name of its own.
    pub(crate) fn with_token(&mut self, claims: &Claims, lives_ms: Option<u64>) -> Claims {
        self.next_token += 1;
        let now = self.clock.now().room;
        let jti = lives_ms.and_then(|_| TokenId::parse(&format!("token-{:010}", self.next_token)));
        let expires_at = lives_ms.map(|ms| now + ms);
        Claims { expires_at, jti, issued_at: expires_at.map(|_| now), ..claims.clone() }
    }

    fn some_worth(&mut self, claims: &Claims) -> Worth {
        let refused = |code, reason| Err(TokenRefusal { code, reason, message: "no".to_owned() });
        match self.random.below(100) {
            0..=5 => return refused(ErrorCode::Unauthorized, "token_expired"),
            6..=9 => return refused(ErrorCode::Forbidden, "forbidden"),
            10..=17 => return refused(ErrorCode::Unavailable, "unavailable"),
            _ => {}
        }
        let lives_ms = 30_000 + self.random.below(120_000);
        let mut newer = self.with_token(claims, Some(lives_ms));
        newer.capabilities = some_capabilities(&mut self.random);
        (newer.tags, _) = some_own_tags(&mut self.random);
        if self.random.chance(10) {
            newer.user = Some(user(self.random.below(100)));
        }
        if self.random.chance(6) {
            newer.capabilities = [Capability::Publish].into_iter().collect();
        }
        Ok(newer)
    }

    pub(crate) fn listener_refreshes(&mut self) {
        let Some(index) = self.some_listener() else { return };
        let claims = self.listeners[index].claims.clone();
        let is_tokenless = claims.expires_at.is_none();
        if self.listeners[index].refresh.is_some() || (is_tokenless && self.random.chance(90)) {
            return;
        }
        let worth = self.some_worth(&claims);
        let number = self.next_number();
        self.tokens.insert(number, worth.clone());
        let listener = &mut self.listeners[index];
        listener.asked.values_mut().for_each(|asked| asked.is_in_doubt = true);
        let id = listener.next_id(What::Auth);
        listener.refresh = Some(worth);
        let token = TokenText(number.to_string());
        self.say(index, &ClientMessage::Auth { id, token });
        if self.random.chance(4) {
            self.outlive_tokens();
        }
    }

    /// R-AUTH-12, R-FRESH-1: a token's end comes in a room that never sleeps, too.
    fn outlive_tokens(&mut self) {
        let (quiet, clock_sets) = (self.quietness(), self.clock.sets);
        (self.alarms_held_until, self.alarms_to_fail) = (0, 0);
        self.pass(OUTLIVED_AFTER_MS);
        if self.quietness() != quiet || self.clock.sets != clock_sets || !self.object.is_awake() {
            return;
        }
        let now = self.clock.now().room;
        let is_over = |claims: &Claims| {
            let end = claims.expires_at.map(|at| at + limits::TOKEN_LEEWAY_MS + CLOSED_WITHIN_MS);
            end.is_some_and(|end| end < now)
        };
        let overdue = self.object.claims().find(|(_, claims)| is_over(claims));
        assert_eq!(overdue, None, "R-AUTH-12: an expired connection is closed");
        self.tally.count("tokens outlived");
    }

    /// The room wants to know what a token is worth.
    pub(crate) fn verifies(&mut self, connection: ConnectionId, request: u32, token: &TokenText) {
        let worth = token.0.parse().ok().and_then(|number: u64| self.tokens.get(&number).cloned());
        let result = match (worth, self.pipes.get(&connection).map(|pipe| pipe.peer)) {
            (Some(worth), _) => worth,
            // The client core fetches another of the same kind.
            (None, Some(Peer::Player { index, .. })) => {
                let claims = self.players[index].claims.clone();
                Ok(self.with_token(&claims, Some(PLAYERS_TOKEN_MS)))
            }
            (None, _) => panic!("R-FRESH-1: a token is passed on as it came"),
        };
        let in_ms = match self.random.below(10) {
            _ if self.is_healing => 50,
            0 => self.random.below(VERIFIED_WITHIN_MS),
            1..=3 => self.random.below(3_000),
            _ => self.random.below(100),
        };
        self.tally.count("tokens looked at");
        self.later(in_ms, Errand::Verified { connection, request, result });
    }

    /// R-FRESH-1: the answer to a token that was taken.
    pub(crate) fn listener_refreshed(&mut self, index: usize, result: &RequestResult, stamp: Stamp) {
        let listener = &mut self.listeners[index];
        let (Some(Ok(claims)), RequestResult::Refreshed(refreshed)) = (listener.refresh.take(), result)
        else {
            panic!("R-FRESH-2: a token that is no good was answered with {result:?}");
        };
        assert_eq!(Some(refreshed.expires_at), claims.expires_at, "R-FRESH-1: when it expires");
        assert_eq!(claims.user, listener.claims.user, "R-FRESH-2: the token is another user's");
        assert!(claims.capabilities.has(Capability::Join), "R-FRESH-2: it may not be here");
        assert!(listener.claims.expires_at.is_some(), "R-FRESH-2: it came without a token");
        self.tally.count("tokens taken");
        if let Some(position) = listener.position.filter(|_| self.keeps_log) {
            // Up to here the older one counted.
            let at = Position { offset: stamp.head_before, ..position };
            let truth = &self.object.storage.truth;
            let uncertain = std::mem::take(&mut listener.observer.eyes.uncertain);
            let tags = listener.observer.eyes.tags.clone();
            listener.observer.eyes.uncertain.clone_from(&uncertain);
            listener.observer.subscribed(at, tags, truth);
            listener.observer.eyes.uncertain = uncertain;
            listener.advance(at.offset);
        }
        listener.take_claims(claims);
    }

    /// R-FRESH-2: the older claims stay.
    pub(crate) fn listener_kept_token(&mut self, index: usize, error: &RequestError) {
        let listener = &mut self.listeners[index];
        let worth = listener.refresh.take();
        let is_revoked = matches!(&worth, Some(Ok(claims)) if self.gate.is_revoked(claims))
            && error.code != ErrorCode::Forbidden;
        let is_tokenless = listener.claims.expires_at.is_none();
        let expected = match &worth {
            _ if is_tokenless => ErrorCode::Forbidden,
            Some(Ok(_)) if is_revoked => ErrorCode::Unauthorized,
            Some(Ok(claims)) if claims.user != listener.claims.user => ErrorCode::Forbidden,
            Some(Ok(_)) => panic!("R-FRESH-1: {worth:?} was refused with {error:?}"),
            Some(Err(refusal)) => refusal.code,
            None => ErrorCode::RateLimited,
        };
        assert_eq!(error.code, expected, "R-FRESH-2: {worth:?} was refused with {error:?}");
        let has_path = error.details.iter().any(|detail| detail.path == "token");
        assert!(has_path || is_tokenless, "R-FRESH-2: {error:?}");
        self.tally.count_in("tokens refused", error.code.as_str());
    }
}
