//! Time passes, and what falls due happens when it does.

use client_core::Input as ClientInput;
use schemas::ConnectionId;

use crate::{platform::Fate, world::World};

/// More events than this within one step would be a storm.
const EVENTS_PER_STEP_MAX: u32 = 20_000;

impl World {
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.clock.real + ms;
        let mut events = 0;
        while let Some(at) = self.next_at().filter(|at| *at <= end) {
            self.clock.real = self.clock.real.max(at);
            self.happen();
            events += 1;
            assert!(
                events < EVENTS_PER_STEP_MAX,
                "R-CLI-5: a storm: {events} events before {end}: {}",
                self.waiting()
            );
        }
        self.clock.real = end;
    }

    /// When the platform would fire the alarm.
    fn alarm_at(&self) -> Option<u64> {
        let at = self.clock.real_when_room_shows(self.object.alarm_at()?);
        Some(at.max(self.alarms_held_until))
    }

    /// What the world waits for, for the report of a storm.
    fn waiting(&self) -> String {
        let (now, turn, alarm) = (self.clock.now(), self.object.turn_at(), self.alarm_at());
        let players: Vec<_> = self.players.iter().map(|player| player.core.poll_timeout()).collect();
        format!("now {now:?}, turn {turn:?}, alarm {alarm:?}, players {players:?}")
    }

    fn next_at(&self) -> Option<u64> {
        let links = self.pipes.values().filter_map(|pipe| pipe.link.next_at()).min();
        let players = self.players.iter().filter_map(|player| player.due_at).min();
        let listeners = self.listeners.iter().filter(|listener| !listener.is_gone);
        let listeners = listeners.map(|listener| listener.due_at()).min();
        let closes = self.late_closes.iter().map(|(at, _, _)| *at).min();
        let outside = [self.next_errand_at(), self.directory_at(), self.object.report_at()];
        [links, players, listeners, closes, self.object.turn_at(), self.alarm_at()]
            .into_iter()
            .chain(outside)
            .flatten()
            .min()
    }

    fn happen(&mut self) {
        let now = self.clock.real;
        let due = |(id, pipe): (&ConnectionId, &crate::network::Pipe)| {
            pipe.link.next_at().is_some_and(|at| at <= now).then_some(*id)
        };
        let due: Vec<ConnectionId> = self.pipes.iter().filter_map(due).collect();
        for connection in &due {
            self.deliver_up(*connection);
            self.deliver_down(*connection);
        }
        if !due.is_empty() {
            self.collect_pipes();
        }
        for index in 0..self.players.len() {
            if self.players[index].due_at.is_some_and(|at| at <= now) {
                self.client(index, ClientInput::TimedOut);
            }
        }
        for index in 0..self.listeners.len() {
            self.listener_due(index);
        }
        self.tell_late_closes(now);
        self.run_errands();
        if self.alarm_at().is_some_and(|at| at <= now) {
            self.fire_alarm();
        }
        // Behind the alarm: who wakes the room in the very millisecond of its sweep puts that off by a minute.
        if self.directory_at().is_some_and(|at| at <= now) {
            self.directory_due();
        }
        if self.object.turn_at().is_some_and(|at| at <= now) {
            self.measure();
        }
        if let Some(fate) = self.object.end_turn(self.clock.now()) {
            self.tally.count("turns ended");
            self.meet(fate);
        }
        if let Some(fate) = self.object.end_quiet(self.clock.now()) {
            self.tally.count("quiet times ended");
            self.meet(fate);
        }
    }

    fn fire_alarm(&mut self) {
        self.tally.count("alarms");
        if self.alarms_to_fail > 0 {
            self.alarms_to_fail -= 1;
            self.tally.count("alarms that throw");
            let (lost, is_over) = self.object.fail_alarm(self.clock.now());
            if is_over {
                self.tally.count("alarms given up");
            }
            return self.trapped(lost);
        }
        self.measure();
        let fate = self.object.fire_alarm(self.clock.now());
        self.meet(fate);
        if self.alarms_to_repeat > 0 {
            self.alarms_to_repeat -= 1;
            self.tally.count("alarms fired twice");
            let fate: Fate = self.object.fire_alarm(self.clock.now());
            self.meet(fate);
        }
    }
}
