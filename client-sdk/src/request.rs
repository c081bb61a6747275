//! What an application asks of the room, as the driver writes it.

use schemas::{
    ConnectionId, Offset, PublicSession, UserId,
    client_message::{History, Publish, StateOp, To},
};

use client_core::Request;

use crate::fields::{Fields, Wrong};

const NO_DATA: Wrong = "data is neither JSON nor bytes";

/// `input` is 20 or above.
pub(crate) fn read(input: u8, mut fields: Fields<'_>) -> Result<Request, Wrong> {
    Ok(match input {
        20 => publish(fields)?,
        21 => Request::Presence { data: fields.payload()?.ok_or(NO_DATA)? },
        22 => Request::History(History {
            id: 0,
            before: fields.number().and_then(Offset::new),
            after: fields.number().and_then(Offset::new),
            limit: fields.number().unwrap_or(0) as u32,
            tags: fields.strings(),
        }),
        23 => Request::Edit { offset: offset(&mut fields)?, data: fields.payload()?.ok_or(NO_DATA)? },
        24 => Request::Remove { offset: offset(&mut fields)? },
        25 => Request::React {
            offset: offset(&mut fields)?,
            name: fields.string().unwrap_or_default(),
            on: fields.truth(),
        },
        26 => state(fields)?,
        27 => Request::Subscribe { tags: fields.strings() },
        28 => Request::Unsubscribe { tags: fields.strings() },
        _ => Request::Call {
            method: fields.string().unwrap_or_default(),
            args: fields.payload()?.ok_or(NO_DATA)?,
        },
    })
}

fn publish(mut fields: Fields<'_>) -> Result<Request, Wrong> {
    Ok(Request::Publish(Publish {
        id: None,
        kind: fields.string(),
        data: fields.payload()?.ok_or(NO_DATA)?,
        tags: fields.strings(),
        to: if fields.truth() { Some(to(&mut fields)?) } else { None },
        ephemeral: fields.truth(),
        echo: fields.truth(),
        key: fields.string(),
        conflate: fields.string(),
    }))
}

fn to(fields: &mut Fields<'_>) -> Result<To, Wrong> {
    Ok(To {
        users: fields.all(UserId::parse, UserId::SHAPE)?,
        sessions: fields.all(PublicSession::parse, PublicSession::SHAPE)?,
        connections: fields.all(ConnectionId::parse, "a connection is 14 hex digits")?,
    })
}

fn state(mut fields: Fields<'_>) -> Result<Request, Wrong> {
    let mut ops = alloc::vec::Vec::new();
    for _ in 0..fields.number().unwrap_or(0) {
        let key = fields.string().unwrap_or_default();
        let expected = fields.number();
        let owned = fields.truth();
        ops.push(match fields.payload()? {
            None => StateOp::Delete { key, expected },
            Some(value) => StateOp::Set { key, value, expected, owned },
        });
    }
    Ok(Request::State { ops })
}

fn offset(fields: &mut Fields<'_>) -> Result<Offset, Wrong> {
    let number = fields.float();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    let offset = Offset::new(number as u64).filter(|exact| exact.value() as f64 == number);
    offset.ok_or("an offset is a whole number below 2^53")
}
