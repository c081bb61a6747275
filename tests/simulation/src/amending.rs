//! Players and listeners publish under keys, change what was published, and write shared state.

use client_core::{Call, Input as ClientInput, Request};
use schemas::{
    ClientMessage, ErrorCode,
    client_message::{Publish, StateOp},
    codec,
    http::{KeyScope, PublishCall},
    server_message::{RequestError, RequestResult},
};

use crate::{
    answers::Case,
    asking::{Amend, Change, Keyed, Wish, plain},
    kept::{Stamp, number_of, payload_of},
    listener::What,
    world::World,
};

/// An API key's scope.
fn backend() -> KeyScope {
    KeyScope::ApiKey("backend".into())
}

fn publish_of(keyed: Keyed) -> Publish {
    let Keyed { key, number, tags, to } = keyed;
    Publish { tags, to, key: Some(key.key), ..plain(payload_of(number)) }
}

fn values(ops: &[StateOp]) -> impl Iterator<Item = u64> {
    ops.iter().filter_map(|op| match op {
        StateOp::Set { value, .. } => Some(number_of(value)),
        StateOp::Delete { .. } => None,
    })
}

impl World {
    // --- players

    /// A player asks for what can be judged by what was committed.
    fn wish(&mut self, index: usize, wish: Wish, number: Option<u64>, request: Request) {
        self.next_call += 1;
        let call = self.next_call;
        self.players[index].wishes.insert(call, wish);
        self.players[index].observer.asked(call, number);
        self.client(index, ClientInput::Requested { call: Call(call), request });
    }

    pub(crate) fn publish_with_key(&mut self) {
        let (index, tags, to) = (self.some_player(), self.some_tags(), self.some_to());
        let scope = KeyScope::User(self.players[index].observer.eyes.user.clone());
        let keyed = self.some_keyed(&scope, tags, to);
        let number = keyed.number;
        self.wish(index, Wish::Keyed(number), Some(number), Request::Publish(publish_of(keyed)));
    }

    pub(crate) fn amend_some(&mut self) {
        let index = self.some_player();
        let amend = self.some_amend();
        let Amend { target: offset, change } = amend.clone();
        let (number, request) = match change {
            Change::Edit(number) => (Some(number), Request::Edit { offset, data: payload_of(number) }),
            Change::Remove => (None, Request::Remove { offset }),
            Change::React { name, on } => (None, Request::React { offset, name, on }),
        };
        self.wish(index, Wish::Amend(amend), number, request);
    }

    pub(crate) fn write_state(&mut self) {
        let index = self.some_player();
        let ops = self.some_ops();
        self.wish(index, Wish::State(ops.clone()), None, Request::State { ops });
    }

    /// A player's wish has its outcome.
    pub(crate) fn player_answered(
        &mut self,
        index: usize,
        wish: &Wish,
        answer: Result<&RequestResult, &RequestError>,
    ) {
        let player = &self.players[index];
        // Without a position it never was in the room; what is refused then, its client refused.
        let Some(position) = player.core.position() else { return self.note_refusal(wish, answer) };
        let case = Case {
            log: self.object.storage.truth.of(position.epoch),
            config: &self.object.setup.config.log,
            stamp: player.stamp,
            eyes: &player.observer.eyes,
            capabilities: player.claims.capabilities,
            keyed: &self.keyed,
        };
        match answer {
            Ok(result) => case.answered(wish, result),
            Err(error) => case.refused(wish, error),
        }
        self.note_refusal(wish, answer);
    }

    pub(crate) fn note_refusal(&mut self, wish: &Wish, answer: Result<&RequestResult, &RequestError>) {
        let what = match (wish, answer) {
            (Wish::Keyed(_), Ok(RequestResult::Published(published))) if published.duplicate => {
                "duplicates told"
            }
            (Wish::Keyed(_), Ok(_)) => "keyed publishes answered",
            (Wish::Amend(Amend { change: Change::Edit(_), .. }), Ok(_)) => "edits",
            (Wish::Amend(Amend { change: Change::Remove, .. }), Ok(_)) => "removals",
            (Wish::Amend(Amend { change: Change::React { .. }, .. }), Ok(_)) => "reactions",
            (Wish::State(_), Ok(_)) => "writes of shared state",
            (Wish::Amend(_), Err(error)) if error.code == ErrorCode::NotFound => {
                "changes of what is not there"
            }
            (Wish::Amend(_), Err(error)) if error.code == ErrorCode::Forbidden => {
                "changes that are forbidden"
            }
            (Wish::State(_), Err(error)) if error.code == ErrorCode::Conflict => "versions that differ",
            (Wish::State(_), Err(error)) if error.code == ErrorCode::Forbidden => "keys of others",
            (Wish::Keyed(_), Err(error)) if error.code == ErrorCode::Conflict => "keys taken",
            (_, Err(_)) => "wishes refused",
        };
        self.tally.count(what);
        if let (Wish::State(ops), Err(_)) = (wish, answer) {
            self.refuse_values(ops);
        }
    }

    /// None of it may stand.
    pub(crate) fn refuse_values(&mut self, ops: &[StateOp]) {
        self.rejected_values.extend(values(ops));
    }

    // --- listeners

    pub(crate) fn listener_wishes(&mut self) {
        let Some(index) = self.some_listener() else { return };
        match self.random.below(10) {
            0..=2 => {
                let (tags, to) = (self.some_tags(), self.some_to());
                let scope = KeyScope::User(self.listeners[index].observer.eyes.user.clone());
                let keyed = self.some_keyed(&scope, tags, to);
                let number = keyed.number;
                let id = self.listeners[index].next_id(What::Wish(Wish::Keyed(number)));
                let publish = Publish { id: Some(id), ..publish_of(keyed) };
                self.say(index, &ClientMessage::Publish(publish));
            }
            3..=6 => {
                let amend = self.some_amend();
                let id = self.listeners[index].next_id(What::Wish(Wish::Amend(amend.clone())));
                self.say(index, &amend.message(id));
            }
            _ => {
                let ops = self.some_ops();
                let id = self.listeners[index].next_id(What::Wish(Wish::State(ops.clone())));
                self.say(index, &ClientMessage::State { id, ops });
            }
        }
    }

    pub(crate) fn listener_wish_answered(
        &mut self,
        index: usize,
        wish: &Wish,
        answer: Result<&RequestResult, &RequestError>,
        stamp: Stamp,
    ) {
        let listener = &mut self.listeners[index];
        let Some(position) = listener.position else { return };
        let case = Case {
            log: self.object.storage.truth.of(position.epoch),
            config: &self.object.setup.config.log,
            stamp,
            eyes: &listener.observer.eyes,
            capabilities: listener.claims.capabilities,
            keyed: &self.keyed,
        };
        match answer {
            Ok(result) => case.answered(wish, result),
            Err(error) => case.refused(wish, error),
        }
        self.note_refusal(wish, answer);
    }

    /// Changes one publication and takes it back, in one breath.
    pub(crate) fn listener_takes_back(&mut self) {
        let Some(index) = self.some_listener() else { return };
        let codec = self.listeners[index].codec;
        let Amend { target, .. } = self.some_amend();
        let changes = [Change::Edit(self.next_number()), Change::Remove, Change::Edit(self.next_number())];
        let mut fragments = Vec::new();
        for change in changes {
            let amend = Amend { target, change };
            let id = self.listeners[index].next_id(What::Wish(Wish::Amend(amend.clone())));
            fragments.push(codec::encode(codec, &amend.message(id)));
        }
        let frame = codec::join(codec, fragments.iter().map(Vec::as_slice));
        self.say_frame(index, frame);
    }

    // --- a backend

    /// With an idempotency key; a proxy may send it twice.
    pub(crate) fn publish_over_http_with_key(&mut self) {
        let (tags, to) = (self.some_tags(), self.some_to());
        let Keyed { key, number, tags, to } = self.some_keyed(&backend(), tags, to);
        let data = payload_of(number);
        let call = PublishCall { data, kind: None, tags, to, ephemeral: false, author: None, key: Some(key) };
        if self.random.chance(30) {
            self.tally.count("HTTP publishes sent twice");
            self.ask_to_publish(number, call.clone());
        }
        self.ask_to_publish(number, call);
    }
}
