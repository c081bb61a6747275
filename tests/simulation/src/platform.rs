//! The platform below a room, as it was seen to behave: attachments live with their sockets, storage outlives the
//! process, the alarm is one and persisted, sleep loses memory alone, a kill loses all but storage.

use std::collections::BTreeMap;

use room_core::{
    Attachment, Input, Output, Outputs, Record, Room, Setup, Storage, StorageError,
    storage::{Loaded, Mark, MemoryStorage, Writes},
};
use schemas::{ConnectionId, Epoch, Offset};

/// Storage that remembers everything that was ever committed, as the truth to judge by.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    inner: MemoryStorage,
    /// Every record, trimmed or not.
    pub truth: BTreeMap<Offset, Record>,
    pub epoch: Option<Epoch>,
    pub failures: u64,
    fail_next: u32,
}

impl Recorder {
    pub fn fail_next(&mut self, count: u32) {
        self.fail_next = count;
    }

    #[must_use]
    pub fn load(&self) -> Loaded {
        self.inner.load()
    }

    #[must_use]
    pub fn head(&self) -> Offset {
        self.truth.keys().next_back().copied().unwrap_or_default()
    }

    #[must_use]
    pub fn commits(&self) -> u64 {
        self.inner.commits()
    }
}

impl Storage for Recorder {
    fn commit(&mut self, writes: &Writes) -> Result<(), StorageError> {
        if self.fail_next > 0 {
            self.fail_next -= 1;
            self.failures += 1;
            return Err(StorageError("the adversary's".into()));
        }
        self.inner.commit(writes)?;
        if let Some(meta) = &writes.meta {
            assert!(
                self.epoch.is_none_or(|epoch| epoch == meta.epoch),
                "R-HELLO-5: an epoch does not change"
            );
            self.epoch = Some(meta.epoch);
        }
        for append in &writes.appends {
            assert_eq!(append.offset, self.head().next(), "R-PUB-2: offsets are dense");
            let record = Record::decode(&append.body).expect("the room writes what it can read");
            assert_eq!(record.publication.offset, append.offset);
            self.truth.insert(append.offset, record);
        }
        Ok(())
    }

    fn read_after(&self, after: Offset, limit: usize) -> Result<Vec<Vec<u8>>, StorageError> {
        self.inner.read_after(after, limit)
    }

    fn read_before(&self, before: Offset, limit: usize) -> Result<Vec<Vec<u8>>, StorageError> {
        self.inner.read_before(before, limit)
    }

    fn first_kept(
        &self,
        after: Offset,
        time_min: u64,
        bytes_total_min: u64,
    ) -> Result<Option<Mark>, StorageError> {
        self.inner.first_kept(after, time_min, bytes_total_min)
    }
}

/// One object: the room in memory, if it is awake, and what outlives it.
#[derive(Debug)]
pub struct Object {
    pub setup: Setup,
    pub storage: Recorder,
    room: Option<Room>,
    /// Open sockets, with their attachments and when their last ping was answered.
    sockets: BTreeMap<ConnectionId, Socket>,
    /// What storage holds; and whether this process knows it.
    alarm_at: Option<u64>,
    alarm_is_known: bool,
    seed: u64,
    pub restores: u64,
}

#[derive(Debug, Default)]
struct Socket {
    attachment: Option<Vec<u8>>,
    ponged_at: Option<u64>,
}

impl Object {
    #[must_use]
    pub fn new(setup: Setup, seed: u64) -> Object {
        Object {
            setup,
            storage: Recorder::default(),
            room: None,
            sockets: BTreeMap::new(),
            alarm_at: None,
            alarm_is_known: false,
            seed,
            restores: 0,
        }
    }

    /// One step, as the shell takes it. What the room wants sent comes back; the rest is done here.
    pub fn step(&mut self, now: u64, input: Input) -> Outputs {
        // The socket whose close wakes the object is still there.
        self.wake(now);
        if let Input::Closed { connection, .. } = &input {
            self.sockets.remove(connection);
        }
        if let Input::Opened { connection, .. } = &input {
            self.sockets.insert(*connection, Socket::default());
        }
        let room = self.room.as_mut().expect("an awake object has a room");
        let outputs = room.handle(now, input, &mut self.storage);
        assert_eq!(room.head(), self.storage.head(), "the head is what was committed");
        let durable = room.poll_timeout().durable.map(|deadline| deadline.at);
        if let Some(at) = durable
            && !(self.alarm_is_known && self.alarm_at.is_some_and(|set| set <= at))
        {
            self.alarm_at = Some(at);
            self.alarm_is_known = true;
        }
        for output in &outputs.0 {
            match output {
                Output::Attach { connection, attachment } => {
                    if let Some(socket) = self.sockets.get_mut(connection) {
                        socket.attachment = Some(attachment.clone());
                    }
                }
                Output::Close { connection, .. } => {
                    self.sockets.remove(connection);
                }
                Output::Broadcast { .. } | Output::Answer { .. } => {}
            }
        }
        outputs
    }

    fn wake(&mut self, now: u64) {
        if self.room.is_some() {
            return;
        }
        self.seed += 1;
        self.restores += 1;
        let commits = self.storage.commits();
        let sockets = self.sockets.iter();
        let sockets =
            sockets.map(|(id, s)| (*id, s.attachment.as_deref().and_then(Attachment::decode))).collect();
        self.room = Some(Room::restore(now, self.seed, self.setup.clone(), self.storage.load(), sockets));
        assert_eq!(commits, self.storage.commits(), "R-LIFE-2: restoring reads only");
    }

    /// The platform answers a ping, waking nobody.
    pub fn pong(&mut self, now: u64, connection: ConnectionId) {
        if let Some(socket) = self.sockets.get_mut(&connection) {
            socket.ponged_at = Some(now);
        }
    }

    #[must_use]
    pub fn has_socket(&self, connection: ConnectionId) -> bool {
        self.sockets.contains_key(&connection)
    }

    /// Fires the alarm, if it is due.
    pub fn fire_alarm(&mut self, now: u64) -> Option<Outputs> {
        self.alarm_at.filter(|at| *at <= now)?;
        self.alarm_at = None;
        self.alarm_is_known = true;
        let heard = self.sockets.iter().filter_map(|(id, socket)| Some((*id, socket.ponged_at?))).collect();
        Some(self.step(now, Input::AlarmFired { heard }))
    }

    /// Ends the turn, if the room waits for that.
    pub fn end_turn(&mut self, now: u64) -> Option<Outputs> {
        self.turn_at().filter(|at| *at <= now)?;
        Some(self.step(now, Input::TurnEnded))
    }

    #[must_use]
    pub fn turn_at(&self) -> Option<u64> {
        self.room.as_ref().and_then(|room| room.poll_timeout().turn).map(|deadline| deadline.at)
    }

    #[must_use]
    pub fn alarm_at(&self) -> Option<u64> {
        self.alarm_at
    }

    /// Hibernation: memory goes, sockets stay. Not while a timeout runs.
    pub fn sleep(&mut self) -> bool {
        let may = self.room.is_some() && self.turn_at().is_none();
        if may {
            self.room = None;
            self.alarm_is_known = false;
        }
        may
    }

    /// The process dies: all but storage goes. Returns whose sockets were lost.
    pub fn kill(&mut self) -> Vec<ConnectionId> {
        self.room = None;
        self.alarm_is_known = false;
        std::mem::take(&mut self.sockets).into_keys().collect()
    }
}
