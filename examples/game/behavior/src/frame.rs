//! What a client is told each tick, in bytes: all numbers little-endian.
//!
//! | bytes | |
//! | --- | --- |
//! | 1 | 1 in a full frame, which says all; 0 in one that says what changed |
//! | 4 | tick |
//! | 1 | ticks since the frame before; 0 in a full one |
//! | 1 | phase: 0 lobby, 1 countdown, 2 playing, 3 finished |
//! | 2 | ticks until the phase is over; 0 where it has no end |
//! | 1, then 16 each | players: seat, last wish granted (its lowest byte), x, y (2 each), vx, vy (2 each, signed), looks to x, y (signed), dash + 16 × stun, cooldown, shield, 0 |
//! | 1, then 1 each | seats whose players are gone |
//! | 1, then 2 each | tiles with buckets, all of them |
//! | 2, then 2 each | painted tiles: number + 1024 × paint, which is seat + 1 or 0 |
//! | 1, then 2 each | bumps: by whom, whom |

use crate::floor::{Paint, TILES, Tile};
use crate::motion::{Body, FIELD};
use crate::round::Phase;
use crate::world::{SEATS, Seat};

/// A player as a frame tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub seat: Seat,
    /// The lowest byte of the number of the last wish that was granted.
    pub ack: u8,
    pub body: Body,
}

/// Someone dashed into someone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bump {
    pub by: Seat,
    pub who: Seat,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Says all, rather than what changed since the frame before.
    pub is_full: bool,
    pub tick: u32,
    /// Ticks since the frame before; a client that has not seen that one needs a full one.
    pub since: u8,
    pub phase: Phase,
    /// Ticks until the phase is over; 0 where it has no end.
    pub left: u16,
    pub standings: Vec<Standing>,
    pub gone: Vec<Seat>,
    pub buckets: Vec<Tile>,
    pub tiles: Vec<(Tile, Paint)>,
    pub bumps: Vec<Bump>,
}

/// These bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no frame: {0}")]
pub struct BadFrame(&'static str);

const PAINT_SHIFT: u32 = 10;

impl Frame {
    /// As bytes; [`Frame::decode`] reads them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + 16 * self.standings.len() + 2 * self.tiles.len());
        out.push(u8::from(self.is_full));
        out.extend(self.tick.to_le_bytes());
        out.push(self.since);
        out.push(self.phase.number());
        out.extend(self.left.to_le_bytes());
        out.push(count(self.standings.len()));
        self.standings.iter().for_each(|standing| write_standing(standing, &mut out));
        out.push(count(self.gone.len()));
        out.extend(&self.gone);
        out.push(count(self.buckets.len()));
        self.buckets.iter().for_each(|tile| out.extend(tile.to_le_bytes()));
        out.extend(u16::try_from(self.tiles.len()).unwrap_or(u16::MAX).to_le_bytes());
        for (tile, paint) in &self.tiles {
            out.extend((tile | u16::from(*paint) << PAINT_SHIFT).to_le_bytes());
        }
        // More happen in no tick: everyone is bumped once at most, and shielded then.
        out.push(count(self.bumps.len()));
        self.bumps.iter().for_each(|bump| out.extend([bump.by, bump.who]));
        out
    }

    /// # Errors
    /// Where the bytes end too early or late, or name a phase, seat, place or tile that there is not.
    pub fn decode(bytes: &[u8]) -> Result<Frame, BadFrame> {
        let mut bytes = Bytes(bytes);
        let frame = Frame {
            is_full: bytes.u8()? == 1,
            tick: u32::from_le_bytes(bytes.take()?),
            since: bytes.u8()?,
            phase: Phase::numbered(bytes.u8()?).ok_or(BadFrame("there is no such phase"))?,
            left: bytes.u16()?,
            standings: bytes.list(Bytes::u8, read_standing)?,
            gone: bytes.list(Bytes::u8, Bytes::seat)?,
            buckets: bytes.list(Bytes::u8, |bytes| Ok(bytes.tile()?.0))?,
            tiles: bytes.list(Bytes::u16, Bytes::tile)?,
            bumps: bytes.list(Bytes::u8, |bytes| Ok(Bump { by: bytes.seat()?, who: bytes.seat()? }))?,
        };
        if bytes.0.is_empty() { Ok(frame) } else { Err(BadFrame("bytes are left over")) }
    }
}

fn count(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

/// Places are within the floor and speeds far below 2¹⁵.
fn write_standing(Standing { seat, ack, body }: &Standing, out: &mut Vec<u8>) {
    out.extend([*seat, *ack]);
    for place in [body.x, body.y] {
        out.extend(u16::try_from(place).unwrap_or(0).to_le_bytes());
    }
    for speed in [body.vx, body.vy] {
        out.extend(i16::try_from(speed).unwrap_or(0).to_le_bytes());
    }
    for look in [body.fx, body.fy] {
        out.extend(i8::try_from(look).unwrap_or(0).to_le_bytes());
    }
    out.extend([body.dash | body.stun << 4, body.cooldown, body.shield, 0]);
}

fn read_standing(bytes: &mut Bytes<'_>) -> Result<Standing, BadFrame> {
    let (seat, ack) = (bytes.seat()?, bytes.u8()?);
    let (x, y) = (i32::from(bytes.u16()?), i32::from(bytes.u16()?));
    if x > FIELD || y > FIELD {
        return Err(BadFrame("a place is off the floor"));
    }
    let (vx, vy) = (i16::from_le_bytes(bytes.take()?), i16::from_le_bytes(bytes.take()?));
    let (fx, fy) = (i8::from_le_bytes(bytes.take()?), i8::from_le_bytes(bytes.take()?));
    let [acts, cooldown, shield, _] = bytes.take()?;
    let (dash, stun) = (acts & 15, acts >> 4);
    let body = Body {
        x,
        y,
        vx: vx.into(),
        vy: vy.into(),
        fx: fx.into(),
        fy: fy.into(),
        dash,
        stun,
        cooldown,
        shield,
    };
    Ok(Standing { seat, ack, body })
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], BadFrame> {
        let (first, rest) = self.0.split_first_chunk().ok_or(BadFrame("it ends too early"))?;
        self.0 = rest;
        Ok(*first)
    }

    fn u8(&mut self) -> Result<u8, BadFrame> {
        Ok(self.take::<1>()?[0])
    }

    fn u16(&mut self) -> Result<u16, BadFrame> {
        Ok(u16::from_le_bytes(self.take()?))
    }

    fn seat(&mut self) -> Result<Seat, BadFrame> {
        let seat = self.u8()?;
        if usize::from(seat) < SEATS { Ok(seat) } else { Err(BadFrame("there is no such seat")) }
    }

    fn tile(&mut self) -> Result<(Tile, Paint), BadFrame> {
        let tile = self.u16()?;
        let paint = Paint::try_from(tile >> PAINT_SHIFT).unwrap_or(Paint::MAX);
        if usize::from(paint) > SEATS {
            return Err(BadFrame("there is no such paint"));
        }
        Ok((tile % (TILES as u16), paint))
    }

    fn list<T, C: Into<usize>>(
        &mut self,
        length: impl Fn(&mut Self) -> Result<C, BadFrame>,
        item: impl Fn(&mut Self) -> Result<T, BadFrame>,
    ) -> Result<Vec<T>, BadFrame> {
        let length = length(self)?.into();
        (0..length).map(|_| item(self)).collect()
    }
}
