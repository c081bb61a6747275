//! Which messages there are, by author and thread: read from the log as far as it has grown since the last time, so
//! that it is right also for what was said before a room had this logic.

use room_core::behavior::{Context, Offset, Payload, Publication, UserId};
use serde::Deserialize;

use crate::{
    people,
    refused::{ChatError, Refused},
    words::{Reacted, Reply, Said, Thread, ThreadOf, Unread},
};

/// Above every offset, and exact in SQL.
const BEFORE_ALL: u64 = 1 << 53;

/// Up to which offset the log was read.
const INDEXED: &str = "indexed";
/// What is further behind the head than so many offsets is not known any more.
const KEPT: u64 = 20_000;
/// A page is small at first: most often there is little new.
const FIRST_PAGE: u32 = 10;
const PAGE: u32 = 200;

#[derive(Deserialize)]
struct Row {
    offset: u64,
}

#[derive(Deserialize)]
struct Number {
    number: u64,
}

/// The newest publication that history shows; 0 where there is none.
pub(crate) fn head(ctx: &mut Context<'_>) -> u64 {
    ctx.history(None, 1).last().map_or(0, |newest| newest.offset.value())
}

fn catch_up(ctx: &mut Context<'_>) -> Result<(), Refused> {
    let indexed = ctx.get::<u64>(INDEXED).unwrap_or(0);
    let (mut before, mut limit, mut head) = (None, FIRST_PAGE, None);
    loop {
        let page = ctx.history(before, limit);
        let newest = page.last().map_or(indexed, |newest| newest.offset.value());
        let floor = indexed.max(head.get_or_insert(newest).saturating_sub(KEPT));
        for message in page.iter().rev().take_while(|message| message.offset.value() > floor) {
            add(ctx, message)?;
        }
        match page.first() {
            Some(oldest) if oldest.offset.value() > floor => before = Some(oldest.offset),
            _ => break,
        }
        limit = PAGE;
    }
    let head = head.unwrap_or(indexed);
    if head > indexed {
        ctx.put(INDEXED, &head);
        ctx.sql().execute("DELETE FROM chat_said WHERE offset <= ?", (head.saturating_sub(KEPT),))?;
    }
    Ok(())
}

fn add(ctx: &mut Context<'_>, message: &Publication) -> Result<(), Refused> {
    if message.kind != "message" || message.removed {
        return Ok(());
    }
    let user = message.from.as_ref().map(|author| author.user.as_str());
    let insert = "INSERT OR IGNORE INTO chat_said (offset, user, thread) VALUES (?, ?, ?)";
    ctx.sql().execute(insert, (message.offset, user, thread_of(message)))?;
    Ok(())
}

/// What was published before the logic was there may say anything.
pub(crate) fn thread_of(message: &Publication) -> Option<u64> {
    match message.data.as_ref()? {
        Payload::Json(text) => serde_json::from_str::<Said>(text.as_str()).ok()?.thread,
        Payload::Bytes(_) => None,
    }
}

/// What the user has not read.
pub(crate) fn unread(ctx: &mut Context<'_>, user: &UserId) -> Result<Unread, Refused> {
    let read = people::read_up_to(ctx, user)?.ok_or(ChatError::NeverHere)?;
    catch_up(ctx)?;
    let query = "SELECT count(*) AS number FROM chat_said WHERE offset > ? AND user IS NOT ?";
    let unread = ctx.sql().first::<Number>(query, (read, user))?.map_or(0, |row| row.number);
    Ok(Unread { read, unread, mentions: people::mentions(ctx, user, read)? })
}

/// The message at that offset, unless there is none.
pub(crate) fn message(ctx: &mut Context<'_>, offset: u64) -> Option<Publication> {
    at(ctx, offset).filter(|found| found.kind == "message")
}

/// What stands at that offset, which may be beyond every log.
pub(crate) fn at(ctx: &mut Context<'_>, offset: u64) -> Option<Publication> {
    let next = Offset::new(offset.checked_add(1)?)?;
    let found = ctx.history(Some(next), 1).pop()?;
    (found.offset.value() == offset && !found.removed).then_some(found)
}

/// Who is mentioned in a message was told so at the offset ahead of it.
pub(crate) fn notice_of(ctx: &mut Context<'_>, message: Offset) -> Option<Publication> {
    at(ctx, message.back(1).value()).filter(|found| found.kind == crate::MENTION)
}

/// # Errors
/// There is no such message, or it is an answer itself.
pub(crate) fn top_level(ctx: &mut Context<'_>, offset: u64) -> Result<(), ChatError> {
    let began = message(ctx, offset).ok_or(ChatError::NoSuchMessage)?;
    match thread_of(&began) {
        None => Ok(()),
        Some(_) => Err(ChatError::Malformed { path: "thread".into() }),
    }
}

/// With a message goes the notice of it, ahead of it, which quotes it.
pub(crate) fn removed(ctx: &mut Context<'_>, offset: Offset) -> Result<(), Refused> {
    // It may not be known yet.
    catch_up(ctx)?;
    ctx.sql().execute("DELETE FROM chat_said WHERE offset = ?", (offset,))?;
    if let Some(notice) = notice_of(ctx, offset) {
        ctx.remove(notice.offset)?;
        people::unmentioned(ctx, notice.offset)?;
    }
    people::unmentioned(ctx, offset)
}

pub(crate) fn thread(ctx: &mut Context<'_>, asked: &ThreadOf) -> Result<Thread, Refused> {
    catch_up(ctx)?;
    let &ThreadOf { parent, before, limit } = asked;
    let query = "SELECT offset FROM chat_said WHERE thread = ? AND offset < ? ORDER BY offset DESC LIMIT ?";
    let (parent, before) = (parent.min(BEFORE_ALL), before.unwrap_or(BEFORE_ALL).min(BEFORE_ALL));
    let rows = ctx.sql().query::<Row>(query, (parent, before, limit))?;
    let next = rows.last().filter(|_| rows.len() == limit as usize).map(|row| row.offset);
    // The log may have been trimmed, and messages removed, since.
    let replies = rows.iter().rev().filter_map(|row| message(ctx, row.offset)).filter_map(reply).collect();
    let count = "SELECT count(*) AS number FROM chat_said WHERE thread = ?";
    let total = ctx.sql().first::<Number>(count, (parent,))?.map_or(0, |row| row.number);
    Ok(Thread { parent: message(ctx, parent).and_then(reply), replies, total, next })
}

fn reply(message: Publication) -> Option<Reply> {
    let Publication { offset, time, from, data, edited, reactions, .. } = message;
    let (user, info) =
        from.map_or((None, None), |author| (Some(author.user.as_str().to_owned()), author.info));
    let reacted = |users: &[UserId]| users.iter().map(|user| user.as_str().to_owned()).collect();
    let reactions = reactions
        .iter()
        .map(|(name, one)| (name.clone(), Reacted { count: one.count, users: reacted(&one.users) }))
        .collect();
    let edited = edited.map(|edited| edited.time);
    Some(Reply { offset: offset.value(), time, user, info, data: data?, edited, reactions })
}
