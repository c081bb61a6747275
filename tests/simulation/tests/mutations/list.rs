//! Known bugs of the room, each a small change of one place. What is changed here ships unchanged: the harness mutates a
//! copy.

/// A bug.
pub(crate) struct Mutation {
    pub(crate) name: &'static str,
    /// Within `room-do/core/src`.
    pub(crate) file: &'static str,
    /// What stands around `original` there, where `original` alone is not found exactly once.
    pub(crate) before: &'static str,
    /// An expression, or statements that end with `;` and declare nothing.
    pub(crate) original: &'static str,
    pub(crate) mutated: &'static str,
}

const fn mutation(
    name: &'static str,
    file: &'static str,
    original: &'static str,
    mutated: &'static str,
) -> Mutation {
    Mutation { name, file, before: "", original, mutated }
}

const fn behind(before: &'static str, mutation: Mutation) -> Mutation {
    Mutation { before, ..mutation }
}

/// One more bug is one more entry.
pub(crate) const MUTATIONS: &[Mutation] = &[
    // Order, and durable before delivered.
    mutation(
        "an offset is skipped",
        "log.rs",
        "Offset::new(self.head.value() + index + 1)",
        "Offset::new(self.head.value() + index + 2)",
    ),
    mutation(
        "delivered although the commit failed",
        "flush.rs",
        "storage.commit(&decided.writes)?;",
        "drop(storage.commit(&decided.writes));",
    ),
    mutation(
        "offsets of a failed commit are not taken back",
        "flush.rs",
        "self.staging.retry_at = now + RETRY_AFTER_MS;",
        "self.staging.retry_at = now + RETRY_AFTER_MS;
         if let Ok(d) = self.decide(now, &entries, storage, None) { self.log.committed(&d.records, &d.writes); }",
    ),
    mutation("an epoch is shown before it is committed", "hello.rs", "self.found(now, storage)?;", "();"),
    // Recovery and history.
    mutation(
        "recovery repeats the last one seen",
        "recovery.rs",
        "read_missed(from.offset, viewer, storage)",
        "read_missed(from.offset.back(1), viewer, storage)",
    ),
    mutation(
        "recovery skips the first one missed",
        "recovery.rs",
        "read_missed(from.offset, viewer, storage)",
        "read_missed(from.offset.next(), viewer, storage)",
    ),
    behind(
        "let by_count = ",
        mutation(
            "the floor is one too high",
            "log.rs",
            "self.head.back(self.config.count)",
            "self.head.back(self.config.count.saturating_sub(1))",
        ),
    ),
    behind(
        "let by_count = ",
        mutation(
            "the floor is one too low",
            "log.rs",
            "self.head.back(self.config.count)",
            "self.head.back(self.config.count + 1)",
        ),
    ),
    behind(
        "trim_through: ",
        mutation("trimming deletes one that is kept", "upkeep.rs", "Some(through)", "Some(through.next())"),
    ),
    mutation("a rewind descends", "history.rs", "messages.reverse();", "();"),
    mutation(
        "a page of history begins one too early",
        "history.rs",
        "after.max(floor)",
        "after.back(1).max(floor)",
    ),
    mutation(
        "what was before a membership is recovered without history",
        "recovery.rs",
        "!has_history && member.is_none_or(|member| from.offset < member.since_offset)",
        "false",
    ),
    // Who sees what.
    mutation("tags are ignored on recovery", "recovery.rs", "by_tag && by_name", "by_name"),
    mutation("`to` is ignored on recovery", "recovery.rs", "by_tag && by_name", "by_tag"),
    mutation("tags are ignored live", "flush.rs", "tags.is_empty() && to.is_none()", "to.is_none()"),
    mutation(
        "the author is left out of its own audience",
        "flush.rs",
        "to.users.iter().chain(author)",
        "to.users.iter().chain(None)",
    ),
    behind(
        "if !echo => ",
        mutation(
            "echo: false is ignored",
            "flush.rs",
            "Some(*connection)",
            "Some(*connection).filter(|_| false)",
        ),
    ),
    mutation(
        "who filters is not told where the head is",
        "delivery.rs",
        "head.since(joined.position) >= limits::POSITION_WITH_BATCH",
        "false",
    ),
    mutation(
        "a subscription is forgotten in hibernation",
        "connection.rs",
        "joined.subscribed.into_iter().collect()",
        "joined.subscribed.into_iter().take(0).collect()",
    ),
    behind(
        "if joined.subscribed.remove(tag) && !fixed {\n                ",
        mutation(
            "unsubscribing changes nothing",
            "connection.rs",
            "unindex(&mut self.by_tag, tag, id);",
            "();",
        ),
    ),
    // Presence.
    mutation(
        "a presence diff is dropped",
        "flush.rs",
        "delivery.push(ServerMessage::Presence(diff), Audience::Watchers);",
        "drop(diff);",
    ),
    behind(
        "fn on_closed(&mut self, now: u64, id: ConnectionId, code: u16) {\n        let Some(key) = ",
        mutation(
            "a lost connection counts as still there",
            "attendance.rs",
            "self.forget(id)",
            "self.forget(id).filter(|_| code == CloseCode::Normal.code())",
        ),
    ),
    mutation(
        "a grace begins anew at each waking",
        "room.rs",
        "row.grace_until.map_or(latest, |until| until.min(latest))",
        "latest",
    ),
    mutation(
        "a return does not end the grace",
        "hello.rs",
        "self.timers.clear(&Timer::Grace(user.clone(), session.clone()));",
        "();",
    ),
    mutation(
        "members are not written",
        "decide.rs",
        "(writes.members_put, writes.members_removed) = room.presence.writes();",
        "();",
    ),
    // Connections and their ends.
    mutation(
        "a replaced connection is not closed",
        "hello.rs",
        "self.close(older, CloseCode::SessionReplaced);",
        "();",
    ),
    behind(
        "limits::HEARTBEAT_DEAD_MS.. => ",
        mutation("the sweep finds nobody dead", "attendance.rs", "dead.push(id)", "()"),
    ),
    mutation(
        "the sweep is not set again",
        "attendance.rs",
        "self.timers.set(Timer::Sweep, self.next_sweep(now));",
        "();",
    ),
    mutation(
        "an expired token is taken",
        "requests.rs",
        "connection.claims.expires_at.is_some_and(|at| now > at.saturating_add(limits::TOKEN_LEEWAY_MS))",
        "false",
    ),
    mutation(
        "an expired connection is not closed",
        "attendance.rs",
        "self.timers.set(Timer::Expired(id), slot(expires_at.saturating_add(limits::TOKEN_LEEWAY_MS)));",
        "();",
    ),
    mutation(
        "one connection more than the kind allows",
        "hello.rs",
        "self.connections.of_user(&user).count() - replaced >= limits.connections_user as usize",
        "self.connections.of_user(&user).count() - replaced > limits.connections_user as usize",
    ),
    mutation(
        "a hello that was overtaken replaces the newer one",
        "hello.rs",
        "other.opened > connection.opened",
        "false",
    ),
    mutation("no notice tells of a fault", "room.rs", "self.send_now(id, &notice);", "();"),
    mutation(
        "connections live through a fault",
        "room.rs",
        "self.refuse_connection(now, id, CloseCode::Restarted);",
        "();",
    ),
    // Keys.
    mutation("a key is not written", "keys.rs", "writes.keys_put = rows.to_vec();", "();"),
    mutation(
        "what comes again under its key is published again",
        "decide.rs",
        "self.known_keys.get(draft.key.as_ref()?)?",
        "self.known_keys.get(draft.key.as_ref()?).filter(|_| false)?",
    ),
    mutation(
        "another publication under a key is taken for the same",
        "decide.rs",
        "known.hash == keys::hash(draft)",
        "true",
    ),
    // Edits, removals, reactions.
    behind(
        "tags: ",
        mutation("an edit reaches everyone", "amend.rs", "target.publication.tags.clone()", "Vec::new()"),
    ),
    mutation(
        "a removal erases nothing",
        "amend.rs",
        "self.writes.erasures.push(Erasure { target: offset, body: target.encode_body() });",
        "();",
    ),
    mutation("an edit tells what is removed with it", "decide.rs", "publication.data = None;", "();"),
    mutation("a reaction counts twice", "amend.rs", "stands == on", "false"),
    mutation(
        "who may edit its own may edit all",
        "amend.rs",
        "author.is_some() && author == amendment.author.as_ref().map(|author| &author.user)",
        "true",
    ),
    mutation(
        "what is not seen may be changed",
        "amend.rs",
        "stands && amendment.viewer.sees(&record)",
        "stands",
    ),
    mutation("history shows what was there before an edit", "amend.rs", "message.data = edit.data;", "();"),
    // Shared state.
    behind(
        "Staged::Ended { key, .. } => {\n                ",
        mutation(
            "an owned key survives its session",
            "decide.rs",
            "self.state.end(&self.room.state, key);",
            "();",
        ),
    ),
    mutation("versions are not compared", "shared_state.rs", "expected != version", "false"),
    mutation("half of a refused request stands", "shared_state.rs", "applied.is_err()", "false"),
    mutation(
        "anybody writes an owned key",
        "shared_state.rs",
        "row.entry.owner.is_none() || own || self.moderates",
        "true",
    ),
    mutation(
        "a change of state is not told",
        "flush.rs",
        "delivery.push(change, Audience::Everyone { but: None });",
        "drop(change);",
    ),
    mutation(
        "the counter of state is not written",
        "decide.rs",
        "state.version() != room.state.version()",
        "false",
    ),
    // The life of a room.
    mutation("a deleted room's epoch goes on", "upkeep.rs", "self.seed = next_seed(self.seed);", "();"),
    mutation("a deleted room's state goes on", "upkeep.rs", "self.state = SharedState::default();", "();"),
    mutation("a deleted room's members go on", "upkeep.rs", "self.presence = Presence::default();", "();"),
    mutation("timers outlive a wiped room", "upkeep.rs", "self.timers.clear_of_storage();", "();"),
    mutation(
        "connections live through a deletion",
        "upkeep.rs",
        "self.refuse_connection(now, id, CloseCode::RoomDeleted);",
        "();",
    ),
    mutation("the lifecycle is not written", "decide.rs", "lifecycle != room.lifecycle", "false"),
    behind(
        "Timer::Expire => ",
        mutation("an idle room never expires", "room.rs", "self.expire(now, storage)", "()"),
    ),
    mutation("an idle room expires at once", "upkeep.rs", "kind.expire_after_ms", "0"),
    mutation("a vacant room rests at once", "upkeep.rs", "kind.idle_after_ms", "0"),
    // Rates, and ephemerals for which others stand.
    mutation("a rate is no bound", "rates.rs", "bucket.take(now, rate)", "Ok::<(), u64>(())"),
    mutation(
        "a bucket fills at half its rate",
        "rates.rs",
        "bucket.take(now, rate)",
        "bucket.take(now, schemas::config::Rate { per_second: rate.per_second.div_ceil(2), ..rate })",
    ),
    mutation(
        "one more than the burst",
        "rates.rs",
        "bucket.take(now, rate)",
        "bucket.take(now, schemas::config::Rate { burst: rate.burst + 1, ..rate })",
    ),
    mutation(
        "a bucket is forgotten in sleep",
        "rates.rs",
        "bucket.full_at() > now + limits::SLEEPS_AFTER_MS",
        "false",
    ),
    mutation(
        "who asks too much stays",
        "rates.rs",
        "self.refuse_connection(now, id, CloseCode::RateLimited);",
        "();",
    ),
    mutation(
        "the 99th refusal closes",
        "rates.rs",
        "self.0.len() >= max as usize",
        "self.0.len() + 1 >= max as usize",
    ),
    mutation("conflated ephemerals all come", "decide.rs", "!latest.insert((*connection, name))", "false"),
    mutation(
        "none of conflated ephemerals comes",
        "decide.rs",
        "!latest.insert((*connection, name))",
        "true",
    ),
    // Slow readers.
    mutation("who does not read stays", "backlog.rs", "connection.backlog.is_too_long()", "false"),
    mutation("who does not acknowledge stays", "backlog.rs", "slow.insert(*id);", "();"),
    mutation(
        "who has little unsent is closed",
        "backlog.rs",
        "self.unsent_bytes >= limits::UNSENT_CLOSE_BYTES",
        "self.unsent_bytes >= limits::UNSENT_DROP_BYTES",
    ),
    mutation("acks change nothing", "requests.rs", "self.on_ack(id, frames)", "()"),
    mutation("ephemerals are not dropped", "delivery.rs", "connection.backlog.is_long()", "false"),
    // Webhooks.
    mutation(
        "events are not committed with what they tell of",
        "decide.rs",
        "writes.outbox = hooked.as_mut().and_then(|hooked| hooked.writes.take());",
        "();",
    ),
    mutation(
        "a try that nobody hears of is made again at once",
        "outbox.rs",
        "cursor.next_at = now + LOST_AFTER_MS + wait;",
        "cursor.next_at = now + 100 + wait / 1_000;",
    ),
    mutation(
        "a no counts as a yes",
        "outbox.rs",
        "(200..300).contains(&status)",
        "(200..600).contains(&status)",
    ),
    mutation(
        "Retry-After is ignored",
        "outbox.rs",
        "outcome.retry_after_ms.unwrap_or(0).clamp(*wait, *longest)",
        "*wait",
    ),
    mutation(
        "a batch is parked a try too early",
        "outbox.rs",
        "cursor.attempts >= ATTEMPTS_MAX",
        "cursor.attempts + 1 >= ATTEMPTS_MAX",
    ),
    mutation(
        "what is dropped is not told",
        "outbox.rs",
        "self.tell_dropped(scene, number, before + gone.len() as u64);",
        "();",
    ),
    mutation(
        "a change of a member is told as another",
        "hooks.rs",
        "self.presence.diff()",
        "{ let mut diff = self.presence.diff(); diff.joined.append(&mut diff.updated); diff }",
    ),
    mutation(
        "an event says what was erased",
        "hooks.rs",
        "outbox.rewrite(&mark, webhook::without_data(&event));",
        "();",
    ),
    mutation(
        "a deleted room leaves no last words",
        "upkeep.rs",
        "storage.wipe(hooked.writes.as_ref())?;",
        "storage.wipe(None)?;",
    ),
    // Blocks and disconnects.
    mutation("a block is not written", "blocks.rs", "storage.commit(&writes)?;", "();"),
    mutation("who is blocked comes in", "blocks.rs", "now < *until", "false"),
    mutation("a block never ends", "blocks.rs", "now < *until", "true"),
    mutation("a block outlives its room", "upkeep.rs", "self.blocks = Blocks::default();", "();"),
    mutation(
        "of several connections none is disconnected",
        "blocks.rs",
        "self.expel(*id, CloseCode::BlockedOrKicked, reason.clone());",
        "if these.len() < 2 { self.expel(*id, CloseCode::BlockedOrKicked, reason.clone()); }",
    ),
    mutation(
        "who is disconnected stays a member",
        "access.rs",
        "self.end_membership(&key, LeaveReason::Lost);",
        "drop(key);",
    ),
    // Newer tokens.
    mutation(
        "another user's token is taken",
        "access.rs",
        "claims.user.as_ref() != Some(&joined.user)",
        "false",
    ),
    mutation(
        "a token without `join` is taken",
        "access.rs",
        "!claims.capabilities.has(Capability::Join)",
        "false",
    ),
    mutation("an older token's tags stay", "connection.rs", "!after.contains(tag)", "false"),
    mutation("a newer token is forgotten in hibernation", "access.rs", "self.attach(now, id);", "();"),
    mutation(
        "a newer token's expiry is not watched",
        "access.rs",
        "self.watch_expiry(now, id, claims.expires_at);",
        "();",
    ),
    mutation("who may see members is not shown them", "access.rs", "self.show_members(id)", "()"),
    // Revocation.
    mutation("who is revoked stays", "access.rs", "self.expel(*id, CloseCode::Revoked, None);", "();"),
    mutation(
        "what the directory knows to be revoked is not heeded",
        "report.rs",
        "self.revoke(now, &revocations);",
        "();",
    ),
    // A backend's changes.
    mutation(
        "a backend's removal is an edit",
        "asked.rs",
        "data.map_or(Change::Remove, Change::Edit)",
        "data.map_or(Change::Edit(schemas::Payload::Bytes(vec![0; 8])), Change::Edit)",
    ),
    mutation(
        "a backend may not write what is owned",
        "asked.rs",
        "Writer { member: None, moderates }",
        "Writer { member: None, moderates: false }",
    ),
    // The directory.
    mutation("all reports of a run are its first", "report.rs", "reporting.run.sequence += 1;", "();"),
    behind(
        "is_owed: ",
        mutation(
            "who wakes does not report",
            "report.rs",
            "lifecycle.state != LifecycleState::Fresh",
            "false",
        ),
    ),
    mutation("a run goes on with another's counts", "report.rs", "self.tally = Tally::default();", "();"),
    mutation(
        "what is read counts twice",
        "tally.rs",
        "self.bytes_in += bytes as u64;",
        "self.bytes_in += 2 * bytes as u64;",
    ),
];
