//! Random publishes, edits, removals and reactions against a model: history is its fold, recovery is what came live.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{Table, amended, claims, published, refused, table, text_of};
use schemas::{ConnectionId, ErrorCode, server_message::Publication};

/// SplitMix-like: enough to shuffle a test.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[derive(Debug, Clone)]
enum Op {
    Publish { key: Option<u64>, data: u64 },
    Edit { target: u64, data: u64 },
    Remove { target: u64 },
    React { target: u64, name: u64, on: bool },
}

impl Op {
    fn random(random: &mut Random, head: u64) -> Op {
        let target = 1 + random.below(head + 2);
        match random.below(10) {
            0 | 1 => Op::Publish { key: None, data: random.below(1_000) },
            2 => Op::Publish { key: Some(random.below(6)), data: random.below(2) },
            3 | 4 => Op::Edit { target, data: random.below(1_000) },
            5 => Op::Remove { target },
            _ => Op::React { target, name: random.below(3), on: random.below(3) > 0 },
        }
    }

    fn body(&self) -> String {
        match self {
            Op::Publish { key: None, data } => format!(r#""t":"publish","data":{data}"#),
            Op::Publish { key: Some(key), data } => format!(r#""t":"publish","data":{data},"key":"k{key}""#),
            Op::Edit { target, data } => format!(r#""t":"edit","offset":{target},"data":{data}"#),
            Op::Remove { target } => format!(r#""t":"remove","offset":{target}"#),
            Op::React { target, name, on } => {
                format!(r#""t":"react","offset":{target},"name":"r{name}","on":{on}"#)
            }
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Message {
    data: u64,
    removed: bool,
    edited: Option<u64>,
    /// By name: offset and user of each, in the order they came.
    reactions: BTreeMap<String, Vec<(u64, String)>>,
}

#[derive(Debug, Clone, Default)]
struct Model {
    head: u64,
    messages: BTreeMap<u64, Message>,
    /// Offsets of edits, by their target.
    edits: BTreeMap<u64, Vec<u64>>,
    /// By user and key: the data and the offset.
    keys: BTreeMap<(String, u64), (u64, u64)>,
}

/// What an operation should be answered: an offset and `duplicate`, nothing in particular, or a refusal.
#[derive(Debug, PartialEq)]
enum Expected {
    Offset(u64, bool),
    Unchanged,
    Refused(ErrorCode),
}

impl Model {
    fn next(&mut self) -> u64 {
        self.head += 1;
        self.head
    }

    /// `seen` is the head when the flush began: what came with the flush cannot be referred to yet.
    fn apply(&mut self, user: &str, op: &Op, seen: u64) -> Expected {
        let target = match op {
            Op::Publish { key, data } => return self.publish(user, *key, *data),
            Op::Edit { target, .. } | Op::Remove { target } | Op::React { target, .. } => *target,
        };
        let stands = target <= seen && self.messages.get(&target).is_some_and(|message| !message.removed);
        if !stands {
            return Expected::Refused(ErrorCode::NotFound);
        }
        let next = self.head + 1;
        let message = self.messages.entry(target).or_default();
        match op {
            Op::Publish { .. } => {}
            Op::Edit { data, .. } => {
                (message.data, message.edited) = (*data, Some(next));
                self.edits.entry(target).or_default().push(next);
            }
            Op::Remove { .. } => *message = Message { removed: true, ..Message::default() },
            Op::React { name, on, .. } => {
                let name = format!("r{name}");
                let users = message.reactions.entry(name.clone()).or_default();
                let stood = users.iter().any(|(_, who)| who == user);
                users.retain(|(_, who)| *on || who != user);
                if *on && !stood {
                    users.push((next, user.to_owned()));
                }
                message.reactions.retain(|_, users| !users.is_empty());
                if stood == *on {
                    return Expected::Unchanged;
                }
            }
        }
        Expected::Offset(self.next(), false)
    }

    fn publish(&mut self, user: &str, key: Option<u64>, data: u64) -> Expected {
        let key = key.map(|key| (user.to_owned(), key));
        if let Some((known, offset)) = key.as_ref().and_then(|key| self.keys.get(key)) {
            let same = *known == data;
            return if same {
                Expected::Offset(*offset, true)
            } else {
                Expected::Refused(ErrorCode::Conflict)
            };
        }
        let offset = self.next();
        self.messages.insert(offset, Message { data, ..Message::default() });
        if let Some(key) = key {
            self.keys.insert(key, (data, offset));
        }
        Expected::Offset(offset, false)
    }

    /// Offsets that say nothing any more.
    fn erased(&self) -> BTreeSet<u64> {
        let removed = self.messages.iter().filter(|(_, message)| message.removed).map(|(offset, _)| *offset);
        let edits = removed.clone().filter_map(|offset| self.edits.get(&offset)).flatten().copied();
        removed.chain(edits).collect()
    }

    fn check_history(&self, page: &[Publication]) {
        let newest: Vec<(&u64, &Message)> = self.messages.iter().rev().take(200).collect();
        assert_eq!(page.len(), newest.len());
        for (shown, (offset, message)) in page.iter().rev().zip(newest) {
            let reactions = shown.reactions.iter().map(|(name, reaction)| {
                assert_eq!(reaction.count as usize, reaction.users.len());
                (name.clone(), reaction.users.iter().map(ToString::to_string).collect::<Vec<_>>())
            });
            let expected = message.reactions.iter().map(|(name, users)| {
                (name.clone(), users.iter().map(|(_, user)| user.clone()).collect::<Vec<_>>())
            });
            assert!(reactions.eq(expected), "{offset}: {:?}", shown.reactions);
            let data = if message.removed { "nothing".to_owned() } else { message.data.to_string() };
            let edited = shown.edited.map(|edited| edited.offset.value());
            assert_eq!(
                (shown.offset.value(), text_of(shown.data.as_ref()), shown.removed, edited),
                (*offset, data.as_str(), message.removed, message.edited)
            );
        }
    }
}

/// Stages a few operations, ends the turn, and checks every answer. Where the commit fails the model stays.
fn flush(table: &mut Table, model: &mut Model, random: &mut Random, ids: &[(ConnectionId, &str)]) {
    let before = model.clone();
    let fails = random.below(12) == 0;
    // Staged together: a room that just flushed waits for the turn's end.
    table.publish(ids[0].0, 0, "");
    table.flush();
    assert_eq!(model.publish("-", None, 0), Expected::Offset(before.head + 1, false));
    let (before, seen) = (model.clone(), model.head);
    let mut staged = Vec::new();
    for _ in 0..1 + random.below(6) {
        let (id, user) = ids[random.below(ids.len() as u64) as usize];
        let op = Op::random(random, seen);
        staged.push((id, table.stage(id, &op.body()), model.apply(user, &op, seen), op));
    }
    // What writes nothing cannot fail to be written.
    let fails = fails && model.head > before.head;
    table.storage.fail_commits(u32::from(fails));
    table.flush();
    for (id, request, expected, op) in staged {
        let answer = table.answer(id, request);
        match (fails, expected) {
            (true, _) => assert_eq!(refused(answer), ErrorCode::Unavailable, "{op:?}"),
            (false, Expected::Refused(code)) => assert_eq!(refused(answer), code, "{op:?}"),
            (false, Expected::Unchanged) => assert!(amended(answer) > 0, "{op:?}"),
            (false, Expected::Offset(offset, duplicate)) if matches!(op, Op::Publish { .. }) => {
                assert_eq!(published(answer), (offset, duplicate), "{op:?}");
            }
            (false, Expected::Offset(offset, _)) => assert_eq!(amended(answer), offset, "{op:?}"),
        }
    }
    if fails {
        *model = before;
    }
}

#[test]
fn r_edit_5_history_is_the_fold_of_the_log_and_recovery_is_what_came_live() {
    for seed in 1..=12 {
        let (mut table, mut model, mut random) = (table(), Model::default(), Random(seed * 0x9e37_79b9));
        let users = ["ada", "bob", "cy"];
        let ids: Vec<(ConnectionId, &str)> =
            users.iter().zip(1..).map(|(user, number)| (table.join(number, user), *user)).collect();
        let mut live = Vec::new();
        for step in 0..120 {
            flush(&mut table, &mut model, &mut random, &ids);
            assert_eq!(table.room.head().value(), model.head);
            live.extend(table.publications(ids[0].0));
            match random.below(8) {
                0 => table.hibernate(),
                1 => table.now += 37,
                2 if step % 10 == 0 => model.check_history(&table.history(ids[1].0)),
                _ => {}
            }
        }
        let offsets: Vec<u64> = live.iter().map(|one| one.offset.value()).collect();
        assert_eq!(offsets, (1..=model.head).collect::<Vec<_>>(), "every one came live, and once");
        model.check_history(&table.history(ids[2].0));
        let erased = model.erased();
        assert!(model.head > 200 && erased.len() > 10, "{} {}", model.head, erased.len());
        for one in &mut live {
            if erased.contains(&one.offset.value()) {
                (one.data, one.removed) = (None, true);
            }
        }
        table.kill();
        let from = table.recover_from(0);
        let (_, welcome) = table.join_with(9, claims("dee"), &from);
        assert_eq!(welcome.publications, live);
        let reader = table.join(10, "dee");
        model.check_history(&table.history(reader));
    }
}
