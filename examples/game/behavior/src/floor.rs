//! The floor: tiles, and whose paint is on them.

use crate::motion::{SIDE, UNITS};

/// How many tiles there are.
pub const TILES: usize = (SIDE * SIDE) as usize;

/// A tile's number: from the left, then from the top.
pub type Tile = u16;

/// Whose paint is on it: a seat's number plus one; 0 is bare.
pub type Paint = u8;

/// The floor, and which tiles changed since that was last asked.
#[derive(Debug, Clone)]
pub struct Floor {
    tiles: [Paint; TILES],
    changed: Vec<Tile>,
}

impl Floor {
    #[must_use]
    pub fn bare() -> Floor {
        Floor { tiles: [0; TILES], changed: Vec::new() }
    }

    /// A circle of paint: every tile whose middle is within `radius` units of the point.
    pub fn splash(&mut self, x: i32, y: i32, radius: i32, paint: Paint) {
        let first = |middle: i32| ((middle - radius) / UNITS).clamp(0, SIDE - 1);
        let last = |middle: i32| ((middle + radius) / UNITS).clamp(0, SIDE - 1);
        for row in first(y)..=last(y) {
            for column in first(x)..=last(x) {
                let across = column * UNITS + UNITS / 2 - x;
                let down = row * UNITS + UNITS / 2 - y;
                if across * across + down * down <= radius * radius {
                    self.set(tile_at(column, row), paint);
                }
            }
        }
    }

    /// Does nothing to a tile that is not there.
    pub fn set(&mut self, tile: Tile, paint: Paint) {
        if let Some(there) = self.tiles.get_mut(usize::from(tile))
            && *there != paint
        {
            *there = paint;
            self.changed.push(tile);
        }
    }

    /// Bare where there is no such tile.
    #[must_use]
    pub fn paint(&self, tile: Tile) -> Paint {
        self.tiles.get(usize::from(tile)).copied().unwrap_or(0)
    }

    /// The tiles that were painted since this was last asked, rising, each once, with what is on them now.
    pub fn take_changes(&mut self) -> Vec<(Tile, Paint)> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        changed.into_iter().map(|tile| (tile, self.paint(tile))).collect()
    }

    /// Every tile that is not bare.
    #[must_use]
    pub fn painted(&self) -> Vec<(Tile, Paint)> {
        (0..).zip(&self.tiles).filter(|(_, paint)| **paint != 0).map(|(tile, paint)| (tile, *paint)).collect()
    }

    /// How many tiles carry this paint.
    #[must_use]
    pub fn count(&self, paint: Paint) -> u16 {
        let count = self.tiles.iter().filter(|there| **there == paint).count();
        u16::try_from(count).unwrap_or(u16::MAX)
    }
}

/// Columns and rows are within the floor.
fn tile_at(column: i32, row: i32) -> Tile {
    Tile::try_from(row * SIDE + column).unwrap_or(Tile::MAX)
}

/// The middle of a tile, in units.
#[must_use]
pub fn middle_of(tile: Tile) -> (i32, i32) {
    let tile = i32::from(tile);
    ((tile % SIDE) * UNITS + UNITS / 2, (tile / SIDE) * UNITS + UNITS / 2)
}
