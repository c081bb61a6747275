//! What clients and backends do, and how often.
//!
//! One more action is one more line in [`ACTIONS`] and a function.

use client_core::{Input as ClientInput, Request, Status};
use schemas::{
    Capabilities, Capability, Claims, ClientMessage, Codec, ErrorCode, Frame, Session, UserId,
    client_message::{Hello, History, Members, Publish, To},
    codec,
    config::Rates,
    http::PublishCall,
    limits,
};

use crate::{
    asking::{call_of, plain},
    kept::{large_payload_of, payload_of},
    link::Signal,
    listener::What,
    network::Peer,
    world::{TAGS, World},
};

struct Action {
    weight: u64,
    run: fn(&mut World),
}

const ACTIONS: &[Action] = &[
    Action { weight: 500, run: World::publish_some },
    Action { weight: 80, run: World::set_some_presence },
    Action { weight: 60, run: World::publish_over_http },
    Action { weight: 60, run: World::publish_with_key },
    Action { weight: 90, run: World::amend_some },
    Action { weight: 70, run: World::write_state },
    Action { weight: 30, run: World::publish_over_http_with_key },
    Action { weight: 60, run: World::listener_wishes },
    Action { weight: 20, run: World::hint },
    Action { weight: 25, run: World::leave_or_join },
    Action { weight: 10, run: World::start_over },
    Action { weight: 12, run: World::listener_takes_back },
    Action { weight: 60, run: World::listener_publishes },
    Action { weight: 40, run: World::listener_reads },
    Action { weight: 30, run: World::listener_changes_tags },
    Action { weight: 15, run: World::listener_hangs_up },
    Action { weight: 20, run: World::listener_misbehaves },
    Action { weight: 20, run: World::listener_fans },
    Action { weight: 6, run: World::listener_floods },
    Action { weight: 5, run: World::visitors_come },
    Action { weight: 2, run: World::publish_for_nobody },
    Action { weight: 2, run: World::flood },
    Action { weight: 11, run: World::drown },
    Action { weight: 15, run: World::ask_about_room },
    Action { weight: 15, run: World::read_over_http },
    Action { weight: 1, run: World::delete_room },
    Action { weight: 2, run: World::desert },
    Action { weight: 8, run: World::disconnect_some },
    Action { weight: 8, run: World::user_publishes_over_http },
    Action { weight: 10, run: World::revoke_some },
    Action { weight: 2, run: World::overfill_outbox },
    Action { weight: 60, run: World::listener_refreshes },
    Action { weight: 20, run: World::amend_over_http },
    Action { weight: 15, run: World::write_state_over_http },
];

/// A tag that nobody carries.
pub(crate) const HIDDEN: &str = "hidden";
/// So many large publications are more than one recovery brings.
const FLOOD: usize = 18;
pub(crate) const FLOOD_BYTES: usize = 60_000;
/// And so many are more than a connection may have unsent.
const DROWN: usize = 85;

impl World {
    pub(crate) fn act(&mut self) {
        let total = ACTIONS.iter().map(|action| action.weight).sum();
        let mut chosen = self.random.below(total);
        for action in ACTIONS {
            if chosen < action.weight {
                return (action.run)(self);
            }
            chosen -= action.weight;
        }
    }

    pub(crate) fn some_player(&mut self) -> usize {
        self.random.index(self.players.len())
    }

    pub(crate) fn some_tags(&mut self) -> Vec<String> {
        if self.random.chance(70) {
            return Vec::new();
        }
        let count = 1 + self.random.index(2);
        (0..count).map(|_| (*self.random.pick(&TAGS)).to_owned()).collect()
    }

    pub(crate) fn some_to(&mut self) -> Option<To> {
        self.random.chance(10).then(|| {
            let named = self.some_player();
            let eyes = &self.players[named].observer.eyes;
            let (user, session) = (eyes.user.clone(), eyes.session.clone());
            if self.random.chance(50) {
                To { users: vec![user], ..To::default() }
            } else {
                To { sessions: vec![session], ..To::default() }
            }
        })
    }

    // --- players

    fn publish_some(&mut self) {
        let index = self.some_player();
        for _ in 0..=self.random.below(4) {
            let (number, tags, to) = (self.next_number(), self.some_tags(), self.some_to());
            let ephemeral = self.random.chance(5);
            let data = payload_of(number);
            let publish = Publish { tags, to, ephemeral, ..plain(data) };
            self.call(index, number, Request::Publish(publish));
        }
    }

    fn set_some_presence(&mut self) {
        let index = self.some_player();
        self.set_presence(index);
    }

    pub(crate) fn set_presence(&mut self, index: usize) {
        let number = self.next_number();
        let data = payload_of(number);
        let player = &mut self.players[index];
        if player.is_listed() && player.is_joined {
            player.presence_before = player.presence.replace(data.clone());
        }
        self.call(index, number, Request::Presence { data });
    }

    fn hint(&mut self) {
        let index = self.some_player();
        let hints = [ClientInput::NetworkLost, ClientInput::NetworkFound, ClientInput::BecameVisible];
        let hint = self.random.pick(&hints).clone();
        self.client(index, hint);
    }

    fn leave_or_join(&mut self) {
        let index = self.some_player();
        if !self.players[index].is_joined {
            self.join(index);
        } else if self.random.chance(40) {
            self.leave(index);
        }
    }

    /// Somebody is tired of waiting for a connection, and begins again: an older hello may yet arrive.
    fn start_over(&mut self) {
        let index = self.some_player();
        if self.players[index].is_joined && self.players[index].core.status() != Status::Connected {
            self.leave(index);
            self.join(index);
        }
    }

    // --- a backend

    pub(crate) fn publish_over_http(&mut self) {
        let (number, tags, to) = (self.next_number(), self.some_tags(), self.some_to());
        let data = payload_of(number);
        self.ask_to_publish(number, PublishCall { tags, to, ..call_of(data) });
    }

    /// Publications that count, and that nobody sees.
    fn publish_for_nobody(&mut self) {
        self.tally.count("bursts that nobody sees");
        for _ in 0..270 {
            let number = self.next_number();
            let (data, tags) = (payload_of(number), vec![HIDDEN.to_owned()]);
            self.ask_to_publish(number, PublishCall { tags, ..call_of(data) });
        }
    }

    /// More for one listener than a recovery brings, while it is away.
    fn flood(&mut self) {
        let index = self.random.index(self.listeners.len());
        let config = &self.object.setup.config;
        let keeps_enough = config.log.count > 100 && config.log.bytes > (FLOOD * FLOOD_BYTES) as u64;
        let takes_it = config.limits.payload_bytes as usize >= FLOOD_BYTES;
        if !(keeps_enough && takes_it) || self.tally.of("floods") > 1 {
            return;
        }
        self.tally.count("floods");
        self.listeners[index].is_flooded = true;
        if let Some(connection) = self.listeners[index].connection() {
            self.listener_gives_up(index, connection);
        }
        for _ in 0..FLOOD {
            let (number, call) = self.large_call_for(index);
            self.ask_to_publish(number, call);
        }
    }

    /// Much, for one listener alone.
    fn large_call_for(&mut self, index: usize) -> (u64, PublishCall) {
        let number = self.next_number();
        let to = To { sessions: vec![self.listeners[index].observer.eyes.session.clone()], ..To::default() };
        (number, PublishCall { to: Some(to), ..call_of(large_payload_of(number, FLOOD_BYTES)) })
    }

    /// More for one listener than a connection may have unsent; mostly it does not read.
    fn drown(&mut self) {
        let config = &self.object.setup.config;
        // Reading history stays cheap.
        let keeps_little = config.log.count <= 40 || config.log.bytes <= 4_000;
        let takes_it = config.limits.payload_bytes as usize >= FLOOD_BYTES;
        if !(self.keeps_log && keeps_little && takes_it) || self.tally.of("readers drowned") > 1 {
            return;
        }
        let Some(index) = self.some_listener() else { return };
        let Some(pipe) = self.listeners[index].connection().and_then(|id| self.pipes.get_mut(&id)) else {
            return;
        };
        self.tally.count("readers drowned");
        if self.random.chance(60) {
            let until = self.clock.real + 5_000 + self.random.below(60_000);
            pipe.link.down.stall(until);
        }
        for count in 0..DROWN {
            let (number, call) = self.large_call_for(index);
            if count % 5 == 4 {
                let ephemeral =
                    PublishCall { to: None, data: payload_of(number), ephemeral: true, ..call.clone() };
                self.ask_to_fan(ephemeral);
                self.pass(30);
            }
            self.ask_to_publish(number, call);
        }
    }

    // --- listeners

    pub(crate) fn some_listener(&mut self) -> Option<usize> {
        let index = self.random.index(self.listeners.len());
        self.listeners[index].is_online().then_some(index)
    }

    pub(crate) fn say(&mut self, index: usize, message: &ClientMessage) {
        let frame = self.listeners[index].frame(message);
        self.say_frame(index, frame);
    }

    pub(crate) fn say_frame(&mut self, index: usize, frame: Frame) {
        if let Some(connection) = self.listeners[index].connection() {
            self.send_up(connection, frame);
        }
    }

    fn listener_publishes(&mut self) {
        let Some(index) = self.some_listener() else { return };
        let (number, tags, to) = (self.next_number(), self.some_tags(), self.some_to());
        let ephemeral = self.random.chance(10);
        let echo = ephemeral || self.random.chance(50);
        let listener = &mut self.listeners[index];
        let id = listener.next_id(if ephemeral { What::Ephemeral(number, None) } else { What::Publish });
        if matches!(listener.asked[&id].what, What::Publish) {
            listener.observer.asked(id, Some(number));
        }
        if !echo {
            listener.unechoed_here.insert(number);
            listener.observer.eyes.unechoed.push(number);
            self.tally.count("publishes without echo");
        }
        let data = payload_of(number);
        let publish = Publish { id: Some(id), tags, to, ephemeral, echo, ..plain(data) };
        self.say(index, &ClientMessage::Publish(publish));
    }

    /// Several ephemerals at once, some for which a later one may stand.
    fn listener_fans(&mut self) {
        let Some(index) = self.some_listener() else { return };
        let Some(connection) = self.listeners[index].connection() else { return };
        let codec = self.listeners[index].codec;
        let mut fragments = Vec::new();
        for _ in 0..=self.random.below(5) {
            let number = self.next_number();
            let name = *self.random.pick(&[None, Some("cursor"), Some("cursor"), Some("typing")]);
            let id = self.listeners[index].next_id(What::Ephemeral(number, name));
            if let Some(name) = name {
                self.conflated.insert(number, (connection, name));
            }
            let conflate = name.map(ToOwned::to_owned);
            let publish = Publish { id: Some(id), ephemeral: true, conflate, ..plain(payload_of(number)) };
            fragments.push(codec::encode(codec, &ClientMessage::Publish(publish)));
        }
        let frame = codec::join(codec, fragments.iter().map(Vec::as_slice));
        self.say_frame(index, frame);
    }

    /// Far more than its rate allows, where there is one.
    fn listener_floods(&mut self) {
        if self.object.setup.config.rates == Rates::OFF {
            return;
        }
        let count = *self.random.pick(&[20, 60, 80, 160, 200]);
        self.flood_requests(count);
        if self.random.chance(30) {
            // What it may ask for is remembered in its sleep.
            self.pass(limits::SLEEPS_AFTER_MS + 1_000);
            self.sleep();
            self.flood_requests(80);
        }
    }

    fn flood_requests(&mut self, count: u32) {
        let Some(index) = self.some_listener() else { return };
        let codec = self.listeners[index].codec;
        let mut fragments = Vec::new();
        for _ in 0..count {
            let id = self.listeners[index].next_id(What::Members { limit: 1 });
            let members = Members { id, cursor: None, limit: 1 };
            fragments.push(codec::encode(codec, &ClientMessage::Members(members)));
        }
        let frame = codec::join(codec, fragments.iter().map(Vec::as_slice));
        self.say_frame(index, frame);
    }

    fn listener_reads(&mut self) {
        let Some(index) = self.some_listener() else { return };
        let limit = 1 + self.random.below(20) as u32;
        if self.random.chance(30) {
            let id = self.listeners[index].next_id(What::Members { limit });
            return self.say(index, &ClientMessage::Members(Members { id, cursor: None, limit }));
        }
        let place = self.object.storage.truth.head().back(self.random.below(60));
        let (before, after) = match self.random.below(3) {
            0 => (Some(place), None),
            1 => (None, Some(place)),
            _ => (None, None),
        };
        let history = History { id: 0, before, after, limit, tags: Vec::new() };
        let id = self.listeners[index].next_id(What::History(history.clone()));
        self.say(index, &ClientMessage::History(History { id, ..history }));
    }

    fn listener_changes_tags(&mut self) {
        let Some(index) = self.some_listener() else { return };
        let tag = (*self.random.pick(&TAGS)).to_owned();
        let listener = &mut self.listeners[index];
        let is_on = !listener.observer.eyes.tags.contains(&tag);
        let id = listener.next_id(What::Tags(tag.clone(), is_on));
        let eyes = &mut listener.observer.eyes;
        let tags = vec![tag.clone()];
        let message = if !is_on {
            ClientMessage::Unsubscribe { id, tags }
        } else {
            ClientMessage::Subscribe { id, tags }
        };
        eyes.uncertain.push(tag);
        self.say(index, &message);
    }

    fn listener_hangs_up(&mut self) {
        let Some(index) = self.some_listener() else { return };
        if let Some(connection) = self.listeners[index].connection() {
            self.listener_gives_up(index, connection);
        }
    }

    /// What must be refused, and how; some of it closes the connection.
    fn listener_misbehaves(&mut self) {
        let Some(index) = self.some_listener() else { return };
        let codec = self.listeners[index].codec;
        let publish = |id, data, kind: Option<&str>| {
            let kind = kind.map(ToOwned::to_owned);
            let publish = Publish { id: Some(id), kind, ..plain(data) };
            ClientMessage::Publish(publish)
        };
        let may_publish = self.listeners[index].may(Capability::Publish);
        let code = |code| if may_publish { code } else { ErrorCode::Forbidden };
        match self.random.below(10) {
            0 | 1 => {
                let id = self.listeners[index].next_id(What::Odd(code(ErrorCode::TooLarge)));
                let data = large_payload_of(0, self.object.setup.config.limits.payload_bytes as usize + 1);
                self.say(index, &publish(id, data, None));
            }
            2 | 3 => {
                let id = self.listeners[index].next_id(What::Odd(code(ErrorCode::InvalidArgument)));
                self.say(index, &publish(id, payload_of(0), Some("edit")));
            }
            4 | 5 if codec == Codec::Json => {
                let id = self.listeners[index].next_id(What::Odd(ErrorCode::Unsupported));
                self.say_frame(index, Frame::Text(format!("{{\"t\":\"unheard-of\",\"id\":{id}}}")));
            }
            6 => {
                for _ in 0..=self.random.below(12) {
                    self.say_frame(index, Frame::Text("{".into()));
                }
            }
            7 => {
                let hello = Hello {
                    session: Session::parse("a-second-hello").expect("a session"),
                    recover: None,
                    rewind: None,
                    tags: Vec::new(),
                    presence: None,
                    members: false,
                };
                self.say(index, &ClientMessage::Hello(hello));
            }
            _ => {
                let number = self.next_number();
                let id = self.listeners[index].next_id(What::Presence);
                self.say(index, &ClientMessage::Presence { id, data: payload_of(number) });
            }
        }
    }

    // --- visitors

    /// Several at once, of one user: more than the kind may allow. Some never say a word.
    fn visitors_come(&mut self) {
        let user = UserId::parse("visitor").expect("a user");
        for _ in 0..6 {
            let capabilities: Capabilities = [Capability::Join].into_iter().collect();
            let claims = Claims { user: Some(user.clone()), capabilities, ..Claims::default() };
            let Some(connection) = self.open(Peer::Visitor, Codec::Json, claims) else { continue };
            self.next_visitor += 1;
            let session = Session::parse(&format!("visitor-{}", self.next_visitor)).expect("a session");
            let hello = Hello {
                session,
                recover: None,
                rewind: None,
                tags: Vec::new(),
                presence: None,
                members: false,
            };
            if self.random.chance(80) {
                let fragment = codec::encode(Codec::Json, &ClientMessage::Hello(hello));
                self.send_up(connection, codec::join(Codec::Json, [fragment.as_slice()]));
            }
            let at = self.clock.real + 100 + self.random.below(15_000);
            if let Some(pipe) = self.pipes.get_mut(&connection) {
                pipe.link.up.push(at, Signal::Closed(*self.random.pick(&[1000, 1001, 1006])));
                pipe.is_done = true;
            }
        }
    }
}
