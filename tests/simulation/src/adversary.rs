//! The adversary: what it can do, and how often it does.
//!
//! One more fault is one more line in [`FAULTS`] and a function; what it counts belongs on the list of what must happen
//! ([`crate::expected`]).

use schemas::ConnectionId;

use crate::{link::Quality, platform::Trap, world::World};

struct Fault {
    weight: u64,
    run: fn(&mut World),
}

const FAULTS: &[Fault] = &[
    Fault { weight: 36, run: World::cut_one },
    Fault { weight: 12, run: World::freeze_one },
    Fault { weight: 8, run: World::stall_one },
    Fault { weight: 3, run: World::slow_one_down },
    Fault { weight: 18, run: World::sleep },
    Fault { weight: 8, run: World::kill },
    Fault { weight: 6, run: World::doom },
    Fault { weight: 6, run: World::trap_before },
    Fault { weight: 6, run: World::trap_behind },
    Fault { weight: 9, run: World::fail_commits },
    Fault { weight: 6, run: World::break_network },
    Fault { weight: 3, run: World::jump_ahead },
    Fault { weight: 3, run: World::jump_back },
    Fault { weight: 4, run: World::hold_alarms },
    Fault { weight: 4, run: World::repeat_alarms },
    Fault { weight: 4, run: World::fail_alarms },
    Fault { weight: 1, run: World::fail_alarms_for_good },
    Fault { weight: 10, run: World::change_endpoint },
    Fault { weight: 1, run: World::endpoint_stays_down },
    Fault { weight: 3, run: World::break_directory },
];

/// The platform may be so late with an alarm.
const ALARM_LATE_MAX_MS: u64 = 180_000;

impl World {
    pub(crate) fn do_harm(&mut self) {
        self.tally.count("faults");
        let total = FAULTS.iter().map(|fault| fault.weight).sum();
        let mut chosen = self.random.below(total);
        for fault in FAULTS {
            if chosen < fault.weight {
                return (fault.run)(self);
            }
            chosen -= fault.weight;
        }
    }

    fn some_pipe(&mut self) -> Option<ConnectionId> {
        let count = self.pipes.len();
        let chosen = (count > 0).then(|| self.random.index(count))?;
        self.pipes.keys().nth(chosen).copied()
    }

    /// The connection breaks; each end learns of it in its own time, and what was under way may or may not arrive.
    fn cut_one(&mut self) {
        let Some(connection) = self.some_pipe() else { return };
        self.tally.count("cuts");
        let (now, random) = (self.clock.real, &mut self.random);
        let Some(pipe) = self.pipes.get_mut(&connection) else { return };
        for queue in [&mut pipe.link.up, &mut pipe.link.down] {
            let kept = random.index(queue.len() + 1);
            queue.break_off(kept, now + random.below(3_000));
        }
    }

    fn freeze_one(&mut self) {
        let Some(connection) = self.some_pipe() else { return };
        self.tally.count("half-open connections");
        if let Some(pipe) = self.pipes.get_mut(&connection) {
            pipe.link.freeze();
        }
    }

    /// A reader reads nothing for a while; everything waits for it, and then comes at once.
    fn stall_one(&mut self) {
        let Some(connection) = self.some_pipe() else { return };
        self.tally.count("stalled readers");
        let until = self.clock.real + self.random.below(30_000);
        if let Some(pipe) = self.pipes.get_mut(&connection) {
            pipe.link.down.stall(until);
        }
    }

    fn slow_one_down(&mut self) {
        let Some(connection) = self.some_pipe() else { return };
        self.tally.count("links slowed down");
        let quality = Quality::slow(&mut self.random);
        if let Some(pipe) = self.pipes.get_mut(&connection) {
            pipe.link.quality = quality;
        }
    }

    pub(crate) fn sleep(&mut self) {
        if self.object.sleep(self.clock.now()) {
            self.tally.count("evictions");
        }
    }

    pub(crate) fn kill(&mut self) {
        self.tally.count("kills");
        self.kill_process();
    }

    fn doom(&mut self) {
        self.is_doomed = true;
    }

    fn trap_before(&mut self) {
        self.object.trap_next(Trap::Before);
    }

    fn trap_behind(&mut self) {
        self.object.trap_next(Trap::Behind);
    }

    fn fail_commits(&mut self) {
        self.object.storage.fail_next(1 + self.random.below(2) as u32);
    }

    fn break_network(&mut self) {
        self.network_is_down = !self.network_is_down;
        if self.network_is_down {
            self.tally.count("network outages");
        }
    }

    fn some_jump_ms(&mut self) -> u64 {
        let most = *self.random.pick(&[1_000, 60_000, 3_600_000]);
        1 + self.random.below(most)
    }

    fn jump_ahead(&mut self) {
        self.tally.count("clock jumps ahead");
        let ms = self.some_jump_ms();
        self.clock.jump(ms.cast_signed());
    }

    fn jump_back(&mut self) {
        self.tally.count("clock jumps back");
        let ms = self.some_jump_ms();
        self.object.storage.era += 1;
        self.clock.jump(-ms.cast_signed());
    }

    fn hold_alarms(&mut self) {
        self.tally.count("alarms held back");
        self.alarms_held_until = self.clock.real + self.random.below(ALARM_LATE_MAX_MS);
    }

    fn repeat_alarms(&mut self) {
        self.alarms_to_repeat = 1 + self.random.below(3) as u32;
    }

    fn fail_alarms(&mut self) {
        self.alarms_to_fail = 1 + self.random.below(3) as u32;
    }

    /// The platform gives an alarm up after seven failures, if nothing else wakes the room meanwhile.
    fn fail_alarms_for_good(&mut self) {
        self.alarms_to_fail = 8;
        self.pass(250_000);
        self.alarms_to_fail = 0;
    }
}
