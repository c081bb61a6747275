//! Storage that remembers everything that was ever committed, as the truth to judge by.

use room_core::{
    Row, Storage, StorageError,
    outbox::OutboxWrites,
    storage::{
        KeyCount, KeyRange, KeyRow, Loaded, Mark, MemoryStorage, ReactionKey, Reactions, Rows, Writes,
    },
};
use schemas::{Offset, http::ScopedKey, server_message::LifecycleState};

use crate::{
    kept::Truth,
    platform::object::Before,
    told::Story,
    witness::{self, PUBLISHED},
};

#[derive(Debug, Clone, Default)]
pub struct Recorder {
    inner: MemoryStorage,
    pub truth: Truth,
    /// What webhooks are to be told.
    pub story: Story,
    /// The room's clock, as of the step under way.
    pub now: u64,
    /// How often that clock was set back.
    pub era: u64,
    /// The step under way deletes the room.
    pub is_deleting: bool,
    idle_after_ms: u64,
    expire_after_ms: u64,
    fail_next: u32,
    failures: u64,
    trims: u64,
    wipes: u64,
    appends: u64,
    life: Life,
    /// The behavior of this room counts what is published into the log.
    pub has_witness: bool,
    /// Publications since the log began, but for edits, removals and reactions.
    said: u64,
}

/// Where the room stands in its life, as the protocol's text has it (R-LIFE-4, R-LIFE-5).
#[derive(Debug, Clone, Copy)]
struct Life {
    state: LifecycleState,
    /// When somebody last came, went or published, by the room's clock; and how often that was set back before.
    touched_at: u64,
    era: u64,
}

impl Default for Life {
    fn default() -> Life {
        Life { state: LifecycleState::Fresh, touched_at: 0, era: 0 }
    }
}

impl Recorder {
    #[must_use]
    pub fn new(idle_after_ms: u64, expire_after_ms: u64) -> Recorder {
        Recorder { idle_after_ms, expire_after_ms, ..Recorder::default() }
    }

    /// The next `count` commits fail and keep nothing.
    pub fn fail_next(&mut self, count: u32) {
        self.fail_next = count;
    }

    /// How many commits failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// How many commits deleted records.
    #[must_use]
    pub fn trims(&self) -> u64 {
        self.trims
    }

    /// How often everything was deleted.
    #[must_use]
    pub fn wipes(&self) -> u64 {
        self.wipes
    }

    /// How many records were ever committed.
    #[must_use]
    pub fn appends(&self) -> u64 {
        self.appends
    }

    /// Rows of all but the events that wait for webhooks.
    #[must_use]
    pub fn room_rows(&self) -> usize {
        self.row_count() - self.inner.outbox_row_count()
    }

    #[must_use]
    pub fn load(&self) -> Loaded {
        self.inner.load()
    }

    #[must_use]
    pub fn commits(&self) -> u64 {
        self.inner.commits()
    }

    /// Rows of every table together.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.inner.row_count()
    }

    /// What is kept, before a step.
    #[must_use]
    pub fn before(&self) -> Before {
        let truth = &self.truth;
        let (head, epoch) = (truth.head(), truth.epoch());
        Before { head, epoch, state: truth.log().shared.version(), life: self.life.state }
    }

    /// Where the room stands in its life.
    #[must_use]
    pub fn life(&self) -> LifecycleState {
        self.life.state
    }

    /// Whether nothing touched the room for so long, as far as a clock that was set back can tell.
    fn was_untouched_for(&self, ms: u64) -> bool {
        self.now >= self.life.touched_at + ms || self.era != self.life.era
    }

    /// Follows the room's life through one commit.
    fn lived(&mut self, writes: &Writes, kept: &Loaded) {
        let state = kept.meta.map_or(LifecycleState::Fresh, |meta| meta.lifecycle.state);
        let is_occupied = state == LifecycleState::Occupied;
        assert_eq!(is_occupied, !kept.members.is_empty(), "R-LIFE-4: {state:?} with {:?}", kept.members);
        assert!(state != LifecycleState::Fresh, "R-LIFE-4: something is stored, and the room is fresh");
        if state == LifecycleState::Idle && self.life.state != state {
            let is_vacant = self.life.state == LifecycleState::Vacant;
            assert!(is_vacant, "R-LIFE-4: idle, and was {:?}", self.life.state);
            let is_due = self.was_untouched_for(self.idle_after_ms);
            assert!(is_due, "R-LIFE-4: idle at {}, and touched at {:?}", self.now, self.life);
        }
        let was_occupied = self.life.state == LifecycleState::Occupied;
        let touches = !writes.appends.is_empty() || is_occupied || was_occupied;
        assert!(!touches || state != LifecycleState::Idle, "R-LIFE-4: written to, and idle");
        if touches || self.life.state == LifecycleState::Fresh {
            self.life = Life { state, touched_at: self.now, era: self.era };
        }
        self.life.state = state;
    }

    /// R-BEH-2: what a hook stored is committed with what it saw, neither more nor less, and never twice.
    fn judge_witness(&mut self, writes: &Writes) {
        self.said += writes.appends.iter().filter(|append| append.refers.is_none()).count() as u64;
        if !self.has_witness {
            return;
        }
        let stored = self.inner.read_values(&[PUBLISHED]).expect("memory can be read");
        let published: u64 = stored.first().map_or(0, |(_, value)| witness::number(value));
        assert_eq!(published, self.said, "R-BEH-2: what the behavior counted, and what was published");
    }

    /// R-LIFE-5: a room goes when its time is up, or when it is told to.
    fn judge_end(&self) {
        let is_due = self.life.state == LifecycleState::Idle && self.was_untouched_for(self.expire_after_ms);
        assert!(is_due || self.is_deleting, "R-LIFE-5: gone at {}, and {:?}", self.now, self.life);
    }

    fn fault(&mut self) -> Result<(), StorageError> {
        if self.fail_next > 0 {
            self.fail_next -= 1;
            self.failures += 1;
            return Err(StorageError("the adversary's".into()));
        }
        Ok(())
    }
}

impl Storage for Recorder {
    fn commit(&mut self, writes: &Writes) -> Result<(), StorageError> {
        self.fault()?;
        self.inner.commit(writes)?;
        self.trims += u64::from(writes.trim_through.is_some());
        self.appends += writes.appends.len() as u64;
        self.judge_witness(writes);
        let kept = self.inner.load();
        if kept.meta.is_none() && (Writes { outbox: None, ..writes.clone() }).is_empty() {
            // The room is gone, and its last words wait.
            return Ok(());
        }
        self.truth.committed(writes, &kept, (self.now, self.era));
        self.story.committed(&writes.appends, &kept, self.life.state);
        self.lived(writes, &kept);
        Ok(())
    }

    fn wipe(&mut self, outbox: Option<&OutboxWrites>) -> Result<(), StorageError> {
        self.fault()?;
        self.inner.wipe(outbox)?;
        self.wipes += 1;
        self.said = 0;
        assert_eq!(self.room_rows(), 0, "R-LIFE-5: nothing stays");
        assert!(outbox.is_some() || self.row_count() == 0, "R-HOOK-8: nothing waits, and something stays");
        if self.life.state == LifecycleState::Fresh && !self.is_deleting {
            // The last of its last words was taken.
            return Ok(());
        }
        self.judge_end();
        self.story.ended(self.truth.epoch(), self.life.state, self.is_deleting);
        self.life = Life::default();
        self.truth.wiped();
        Ok(())
    }

    fn read_after(&self, after: Offset, limit: usize, rows: Rows) -> Result<Vec<Row>, StorageError> {
        self.inner.read_after(after, limit, rows)
    }

    fn read_before(&self, before: Offset, limit: usize, rows: Rows) -> Result<Vec<Row>, StorageError> {
        self.inner.read_before(before, limit, rows)
    }

    fn first_kept(
        &self,
        after: Offset,
        time_min: u64,
        bytes_total_min: u64,
    ) -> Result<Option<Mark>, StorageError> {
        self.inner.first_kept(after, time_min, bytes_total_min)
    }

    fn last_edits(&self, from: Offset, through: Offset) -> Result<Vec<Row>, StorageError> {
        self.inner.last_edits(from, through)
    }

    fn reactions(
        &self,
        from: Offset,
        through: Offset,
        users_max: u32,
    ) -> Result<Vec<Reactions>, StorageError> {
        self.inner.reactions(from, through, users_max)
    }

    fn reacted(&self, key: &ReactionKey) -> Result<bool, StorageError> {
        self.inner.reacted(key)
    }

    fn reaction_names(&self, target: Offset) -> Result<Vec<(String, u32)>, StorageError> {
        self.inner.reaction_names(target)
    }

    fn key_count(&self) -> Result<KeyCount, StorageError> {
        self.inner.key_count()
    }

    fn read_keys(&self, keys: &[ScopedKey]) -> Result<Vec<KeyRow>, StorageError> {
        self.inner.read_keys(keys)
    }

    fn read_values(&self, keys: &[&str]) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        self.inner.read_values(keys)
    }

    fn list_values(&self, range: &KeyRange) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        self.inner.list_values(range)
    }

    /// No behavior with SQL is played: what is done within is one commit, which keeps nothing where it fails.
    fn transact(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Storage) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        work(self)
    }

    fn read_outbox(&self, numbers: &[u64]) -> Result<Vec<String>, StorageError> {
        self.inner.read_outbox(numbers)
    }
}
