//! The end: the world heals, waits for quiet, and is judged.

use std::collections::{BTreeMap, BTreeSet};

use client_core::Status;
use schemas::{Payload, PublicSession, http::ScopedKey};

use crate::{
    kept::{Fact, Log},
    link::{Quality, Signal},
    listener::{Listener, What},
    network::Peer,
    player::Player,
    world::World,
};

/// Time enough for the slowest of what must heal: a ghost's heartbeat, sweep and grace.
const HEALED_AFTER_MS: u64 = 300_000;

impl World {
    /// No more faults.
    pub(crate) fn heal(&mut self) {
        self.is_healing = true;
        self.network_is_down = false;
        self.is_doomed = false;
        self.alarms_held_until = 0;
        self.alarms_to_fail = 0;
        self.alarms_to_repeat = 0;
        self.object.storage.fail_next(0);
        self.directory.is_down = false;
        let now = self.clock.real;
        for pipe in self.pipes.values_mut() {
            pipe.link.quality = Quality::GOOD;
            pipe.link.up.flow(now);
            pipe.link.down.flow(now);
        }
        for index in 0..self.players.len() {
            self.client(index, client_core::Input::NetworkFound);
        }
        self.object.calm();
        self.lift_blocks();
        self.everyone_joins();
        self.tell_late_closes(u64::MAX);
        // Where the platform has given the alarm up, the next event sets it again; without one nothing ever would.
        self.publish_over_http();
        self.pass(1_000);
        self.endpoints_heal();
        self.lose_some();
        if self.random.chance(30) {
            self.kill();
        }
        self.pass(60_000);
        self.judge_graces();
        self.everyone_joins();
        // What nobody knows the fate of is said again, as an application would.
        for index in 0..self.players.len() {
            if self.players[index].presence_is_unknown && !self.players[index].is_gone {
                self.set_presence(index);
            }
        }
        // As on the platform, the room sleeps after ten seconds of silence: nothing may depend on its staying awake.
        for _ in 0..(HEALED_AFTER_MS - 60_000) / 10_000 {
            self.pass(10_000);
            self.everyone_joins();
            self.sleep();
        }
        // What is to be told is told by now.
        self.pass(15_000);
    }

    /// R-PRES-3: who was lost, and known to be, is no member once its grace is over.
    fn judge_graces(&self) {
        let gone = self.players.iter().filter(|player| player.is_known_gone);
        let gone: Vec<&PublicSession> = gone.map(|player| &player.observer.eyes.session).collect();
        let rows = self.object.storage.load().members;
        let ghost = rows.iter().find(|row| gone.contains(&&row.session));
        assert_eq!(ghost, None, "R-PRES-3: a grace has not ended");
    }

    pub(crate) fn everyone_joins(&mut self) {
        for index in 0..self.players.len() {
            if !self.players[index].is_joined && !self.players[index].is_gone {
                self.join(index);
            }
        }
    }

    /// Clients that never come back; the room learns of it, or has to find out.
    fn lose_some(&mut self) {
        for index in 1..self.players.len() {
            if self.random.chance(30) {
                self.players[index].is_gone = true;
                let is_its = |peer| matches!(peer, Peer::Player { index: of, .. } if of == index);
                self.players[index].is_known_gone = self.lose(is_its);
            }
        }
        for index in 0..self.listeners.len() {
            if self.random.chance(20) {
                self.listeners[index].is_gone = true;
                self.lose(|peer| peer == Peer::Listener { index });
            }
        }
    }

    /// Tells whether the room is told.
    fn lose(&mut self, is_its: impl Fn(Peer) -> bool) -> bool {
        self.tally.count("clients lost for good");
        let (now, tells) = (self.clock.real, self.random.chance(50));
        let mut is_told = tells;
        for pipe in self.pipes.values_mut().filter(|pipe| is_its(pipe.peer)) {
            is_told &= !pipe.link.is_frozen();
            if tells {
                pipe.link.up.push(now, Signal::Closed(1006));
                pipe.link.down.push(now, Signal::Closed(1006));
            } else {
                pipe.link.freeze();
            }
        }
        is_told
    }

    fn players_here(&self) -> impl Iterator<Item = &Player> {
        self.players.iter().filter(|player| !player.is_gone)
    }

    fn listeners_here(&self) -> impl Iterator<Item = &Listener> {
        self.listeners.iter().filter(|listener| !listener.is_gone)
    }

    pub(crate) fn judge(&mut self) {
        for player in self.players_here() {
            assert_eq!(player.core.status(), Status::Connected, "R-CLI-6: everyone is back");
        }
        for listener in self.listeners_here() {
            assert!(listener.is_online(), "R-LIFE-1: every listener is back");
            // A room that fell asleep over a token knows nothing of it.
            let waits = listener.asked.values().find(|asked| !matches!(asked.what, What::Auth));
            assert!(waits.is_none(), "R-PUB-1: each request is answered: {waits:?}");
        }
        if self.keeps_log {
            self.judge_log();
        }
        self.judge_state();
        self.judge_presence();
        self.judge_endpoints();
        self.judge_directory();
        let here = self.players_here().count() + self.listeners_here().count();
        assert_eq!(self.object.open_sockets(), here, "R-BEAT-2: open sockets are those of clients");
        let now = self.clock.now().room;
        let mut expiries = self.object.claims().filter_map(|(_, claims)| claims.expires_at);
        let overdue = expiries.find(|at| at + 60_000 < now);
        assert_eq!(overdue, None, "R-AUTH-12: an expired connection is closed");
        let world = if self.keeps_log { "worlds" } else { "worlds without a log" };
        self.tally.count(world);
        self.tally.count_many("", "restores", self.object.restores);
        self.tally.count_many("", "commits that failed", self.object.storage.failures());
        self.tally.count_many("", "trims", self.object.storage.trims());
    }

    fn judge_log(&self) {
        let truth = &self.object.storage.truth;
        let mut numbers: Vec<u64> = truth.all().filter_map(|fact| fact.number).collect();
        numbers.retain(|number| !self.keyed.contains_key(number));
        numbers.sort_unstable();
        let twice = numbers.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None, "R-PUB-2: nothing is published twice");
        truth.logs().for_each(|log| self.judge_keys(log));
        let numbers: BTreeSet<u64> = truth.all().filter_map(|fact| fact.number).collect();
        for player in self.players_here() {
            player.observer.assert_complete(truth);
        }
        let players = self.players_here().map(|player| &player.observer);
        let listeners = self.listeners_here().map(|listener| &listener.observer);
        for observer in players.chain(listeners) {
            let stands = observer.rejected.iter().find(|number| numbers.contains(number));
            assert_eq!(stands, None, "R-PUB-3: it was rejected, and stands in the log");
        }
        for listener in self.listeners_here() {
            listener.observer.assert_nothing_missing(truth);
        }
    }

    /// R-KEY-1, R-KEY-2: within its window a key names one publication.
    fn judge_keys(&self, log: &Log) {
        let window_ms = self.object.setup.config.key_window_ms;
        let mut last: BTreeMap<&ScopedKey, &Fact> = BTreeMap::new();
        for fact in log.all() {
            let Some(key) = fact.number.and_then(|number| self.keyed.get(&number)) else { continue };
            let Some(earlier) = last.insert(key, fact) else { continue };
            // A clock that was set back in between makes a window of any length.
            let is_over = fact.committed_at >= earlier.committed_at + window_ms || fact.era != earlier.era;
            assert!(is_over, "R-KEY-1: {key:?} stands twice: {earlier:?}, {fact:?}");
        }
    }

    /// R-STATE-2: what was refused changed nothing; and everyone knows the state as it is.
    fn judge_state(&self) {
        let truth = &self.object.storage.truth;
        let values = truth.logs().flat_map(|log| log.shared.values());
        let stands = values.into_iter().find(|value| self.rejected_values.contains(value));
        assert_eq!(stands, None, "R-STATE-2: its request was refused, and it was written");
        let version = truth.log().shared.version();
        for player in self.players_here() {
            player.judge_state(truth);
            assert_eq!(player.core.state().version(), version, "R-STATE-3: a player is behind");
        }
        for listener in self.listeners_here() {
            assert_eq!(listener.state.version, version, "R-STATE-3: a listener is behind");
        }
        let rows = self.object.storage.load().state;
        truth.log().shared.judge(version, rows.iter().map(|(key, row)| (key, &row.entry)));
    }

    fn judge_presence(&self) {
        let rows = self.object.storage.load().members.len();
        let here = self.players_here().count() + self.listeners_here().count();
        assert_eq!(rows, here, "R-PRES-3: rows are members");
        if !self.lists_everyone() {
            return;
        }
        let mut expected: BTreeMap<PublicSession, Option<Payload>> = BTreeMap::new();
        for player in self.players_here().filter(|player| player.is_listed()) {
            expected.insert(player.observer.eyes.session.clone(), player.presence.clone());
        }
        let says = "R-PRES-2, R-PRES-3: no ghosts, nobody missing, nothing stale";
        let listed: Vec<&Listener> =
            self.listeners_here().filter(|listener| listener.may(schemas::Capability::Presence)).collect();
        let of_listener = |session: &PublicSession| {
            listed.iter().any(|listener| listener.observer.eyes.session == *session)
        };
        let judge = |members: Vec<(&PublicSession, &Option<Payload>)>| {
            let (listeners, players): (Vec<_>, Vec<_>) =
                members.into_iter().partition(|(session, _)| of_listener(session));
            assert_eq!(players, expected.iter().collect::<Vec<_>>(), "{says}");
            assert_eq!(listeners.len(), listed.len(), "{says}");
        };
        for player in self.players_here().filter(|player| player.sees_members) {
            judge(player.core.members().iter().map(|member| (&member.session, &member.data)).collect());
        }
        for listener in self.listeners_here().filter(|listener| listener.sees_members) {
            judge(listener.roster.values().map(|member| (&member.session, &member.data)).collect());
        }
    }
}
