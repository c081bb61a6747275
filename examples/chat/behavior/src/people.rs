//! Who was here, how far they read, and whether they may speak.

use room_core::behavior::{Context, Offset, Payload, UserId};
use serde::Deserialize;

use crate::{
    index,
    refused::Refused,
    words::{Muted, Profile},
};

/// Beyond so many, who was seen longest ago is forgotten, unless muted.
const PEOPLE_MAX: u64 = 5_000;
const PEOPLE_TOLD_MAX: u32 = 200;
/// Of a user's notices; the oldest go.
const MENTIONS_MAX: u64 = 1_000;

#[derive(Deserialize)]
struct Number {
    number: u64,
}

/// Somebody came. What was said before they came first is not unread to them.
pub(crate) fn met(ctx: &mut Context<'_>, user: &UserId, info: Option<&Payload>) -> Result<(), Refused> {
    let (now, info) = (ctx.now(), info.map(text));
    let update = "UPDATE chat_person SET info = ?, seen = ? WHERE user = ? AND seen > 0";
    if ctx.sql().execute(update, (info.clone(), now, user))? > 0 {
        return Ok(());
    }
    let head = index::head(ctx);
    ctx.sql().execute(
        "INSERT INTO chat_person (user, info, seen, read) VALUES (?, ?, ?, ?)
         ON CONFLICT (user) DO UPDATE SET info = excluded.info, seen = excluded.seen, read = excluded.read",
        (user, info, now, head),
    )?;
    forget_extra(ctx)
}

fn forget_extra(ctx: &mut Context<'_>) -> Result<(), Refused> {
    let now = ctx.now();
    let count = ctx.sql().first::<Number>("SELECT count(*) AS number FROM chat_person", ())?;
    let extra = count.map_or(0, |count| count.number).saturating_sub(PEOPLE_MAX);
    if extra > 0 {
        let oldest = "SELECT user FROM chat_person WHERE muted_until < ? ORDER BY seen LIMIT ?";
        ctx.sql().execute(&format!("DELETE FROM chat_mention WHERE user IN ({oldest})"), (now, extra))?;
        ctx.sql().execute(&format!("DELETE FROM chat_person WHERE user IN ({oldest})"), (now, extra))?;
    }
    Ok(())
}

fn text(info: &Payload) -> String {
    match info {
        Payload::Json(text) => text.as_str().to_owned(),
        Payload::Bytes(_) => "null".to_owned(),
    }
}

/// Who was seen last.
pub(crate) fn known(ctx: &mut Context<'_>) -> Result<Vec<Profile>, Refused> {
    #[derive(Deserialize)]
    struct Row {
        user: String,
        info: Option<String>,
        seen: u64,
    }
    let query = "SELECT user, info, seen FROM chat_person WHERE seen > 0 ORDER BY seen DESC LIMIT ?";
    let rows = ctx.sql().query::<Row>(query, (PEOPLE_TOLD_MAX,))?;
    let profile = |Row { user, info, seen }| Profile {
        user,
        info: info.and_then(|text: String| Payload::from_json(text).ok()),
        seen,
    };
    Ok(rows.into_iter().map(profile).collect())
}

/// Up to where they read; `None` for who never came.
pub(crate) fn read_up_to(ctx: &mut Context<'_>, user: &UserId) -> Result<Option<u64>, Refused> {
    let query = "SELECT read AS number FROM chat_person WHERE user = ? AND seen > 0";
    Ok(ctx.sql().first::<Number>(query, (user,))?.map(|row| row.number))
}

/// They read up to there, and never less.
pub(crate) fn read(ctx: &mut Context<'_>, user: &UserId, offset: u64) -> Result<(), Refused> {
    ctx.sql()
        .execute("UPDATE chat_person SET read = ? WHERE user = ? AND read < ?", (offset, user, offset))?;
    ctx.sql().execute("DELETE FROM chat_mention WHERE user = ? AND offset <= ?", (user, offset))?;
    Ok(())
}

pub(crate) fn mentioned(ctx: &mut Context<'_>, user: &UserId, offset: Offset) -> Result<(), Refused> {
    // Who was never here reads nothing, and would be counted for ever.
    if read_up_to(ctx, user)?.is_none() {
        return Ok(());
    }
    ctx.sql().execute("INSERT INTO chat_mention (user, offset) VALUES (?, ?)", (user, offset))?;
    ctx.sql().execute(
        "DELETE FROM chat_mention WHERE user = ?1 AND offset <=
            (SELECT offset FROM chat_mention WHERE user = ?1 ORDER BY offset DESC LIMIT 1 OFFSET ?2)",
        (user, MENTIONS_MAX),
    )?;
    Ok(())
}

/// The notice at that offset is gone.
pub(crate) fn unmentioned(ctx: &mut Context<'_>, offset: Offset) -> Result<(), Refused> {
    ctx.sql().execute("DELETE FROM chat_mention WHERE offset = ?", (offset,))?;
    Ok(())
}

pub(crate) fn mentions(ctx: &mut Context<'_>, user: &UserId, read: u64) -> Result<u64, Refused> {
    let query = "SELECT count(*) AS number FROM chat_mention WHERE user = ? AND offset > ?";
    Ok(ctx.sql().first::<Number>(query, (user, read))?.map_or(0, |row| row.number))
}

pub(crate) fn spoke_at(ctx: &mut Context<'_>, user: &UserId) -> Result<Option<u64>, Refused> {
    let query = "SELECT spoke_at AS number FROM chat_person WHERE user = ? AND spoke_at > 0";
    Ok(ctx.sql().first::<Number>(query, (user,))?.map(|row| row.number))
}

/// `seen` is 0 for who speaks and never came.
pub(crate) fn speaks(ctx: &mut Context<'_>, user: &UserId) -> Result<(), Refused> {
    let now = ctx.now();
    ctx.sql().execute(
        "INSERT INTO chat_person (user, seen, spoke_at) VALUES (?, 0, ?)
         ON CONFLICT (user) DO UPDATE SET spoke_at = excluded.spoke_at",
        (user, now),
    )?;
    forget_extra(ctx)
}

/// `seen` is 0 for who is muted and never came.
pub(crate) fn mute(ctx: &mut Context<'_>, user: &UserId, until: u64) -> Result<(), Refused> {
    ctx.sql().execute(
        "INSERT INTO chat_person (user, seen, muted_until) VALUES (?, 0, ?)
         ON CONFLICT (user) DO UPDATE SET muted_until = excluded.muted_until",
        (user, until),
    )?;
    Ok(())
}

pub(crate) fn muted(ctx: &mut Context<'_>) -> Result<Vec<Muted>, Refused> {
    #[derive(Deserialize)]
    struct Row {
        user: String,
        muted_until: u64,
    }
    let now = ctx.now();
    let query = "SELECT user, muted_until FROM chat_person WHERE muted_until > ? ORDER BY user";
    let rows = ctx.sql().query::<Row>(query, (now,))?;
    Ok(rows.into_iter().map(|Row { user, muted_until }| Muted { user, until: muted_until }).collect())
}
