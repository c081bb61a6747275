//! How one player moves in one tick: whole numbers only, so that every machine comes to the same.
//!
//! The page predicts its own player with the same steps (`src/motion.ts`); `golden/motion.json` holds both to it.

/// Tiles a side of the floor, which is square.
pub const SIDE: i32 = 32;
/// Units a tile. Positions and speeds are in units.
pub const UNITS: i32 = 256;
/// Units a side of the floor.
pub const FIELD: i32 = SIDE * UNITS;
/// Of a player.
pub const RADIUS: i32 = 200;
/// Units a tick with the stick pushed all the way.
pub const SPEED: i32 = 112;
/// Units a tick while dashing.
pub const DASH_SPEED: i32 = 330;
/// How long a dash takes.
pub const DASH_TICKS: u8 = 4;
/// From the beginning of a dash to the next one.
pub const COOLDOWN_TICKS: u8 = 28;
/// How long someone who was bumped can do nothing.
pub const STUN_TICKS: u8 = 14;
/// How long after that nobody can bump them again.
pub const SHIELD_TICKS: u8 = 20;
/// The farthest that the stick goes, in each direction.
pub const REACH: i32 = 127;

/// What one player wants in one tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish {
    /// Where the stick is: to the right and down, at most [`REACH`] from the middle.
    pub x: i32,
    pub y: i32,
    pub dash: bool,
}

impl Wish {
    /// Brings the stick back within its reach, whatever it claims.
    #[must_use]
    pub fn new(x: i32, y: i32, dash: bool) -> Wish {
        let (x, y) = (x.clamp(-REACH, REACH), y.clamp(-REACH, REACH));
        let length = root(x * x + y * y);
        if length <= REACH {
            return Wish { x, y, dash };
        }
        Wish { x: x * REACH / length, y: y * REACH / length, dash }
    }

    fn is_still(self) -> bool {
        self.x == 0 && self.y == 0
    }
}

/// All of a player that moving depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body {
    /// The middle, in units from the upper left corner.
    pub x: i32,
    pub y: i32,
    /// Units a tick.
    pub vx: i32,
    pub vy: i32,
    /// Where it looks, as the stick was last.
    pub fx: i32,
    pub fy: i32,
    /// Ticks left of each.
    pub dash: u8,
    pub stun: u8,
    pub cooldown: u8,
    pub shield: u8,
}

impl Body {
    /// Standing still and looking to the middle of the floor.
    #[must_use]
    pub fn at(x: i32, y: i32) -> Body {
        let look = Wish::new((FIELD / 2 - x) / 16, (FIELD / 2 - y) / 16, false);
        let (fx, fy) = if look.is_still() { (0, REACH) } else { (look.x, look.y) };
        Body { x, y, vx: 0, vy: 0, fx, fy, dash: 0, stun: 0, cooldown: 0, shield: 0 }
    }

    /// One tick.
    pub fn step(&mut self, wish: Wish) {
        self.cooldown = self.cooldown.saturating_sub(1);
        self.shield = self.shield.saturating_sub(1);
        if self.stun > 0 {
            self.slide();
        } else {
            self.steer(wish);
        }
        (self.x, self.vx) = within(self.x + self.vx, self.vx);
        (self.y, self.vy) = within(self.y + self.vy, self.vy);
    }

    fn slide(&mut self) {
        self.stun -= 1;
        self.vx = self.vx * 7 / 8;
        self.vy = self.vy * 7 / 8;
        if self.stun == 0 {
            self.shield = SHIELD_TICKS;
        }
    }

    fn steer(&mut self, wish: Wish) {
        if !wish.is_still() {
            (self.fx, self.fy) = (wish.x, wish.y);
        }
        if wish.dash && self.dash == 0 && self.cooldown == 0 {
            let length = root(self.fx * self.fx + self.fy * self.fy).max(1);
            self.vx = self.fx * DASH_SPEED / length;
            self.vy = self.fy * DASH_SPEED / length;
            self.dash = DASH_TICKS;
            self.cooldown = COOLDOWN_TICKS;
        }
        if self.dash > 0 {
            self.dash -= 1;
        } else {
            self.vx = towards(self.vx, wish.x * SPEED / REACH);
            self.vy = towards(self.vy, wish.y * SPEED / REACH);
        }
    }
}

/// A third of the way to `wanted`, and the last bit at once.
fn towards(speed: i32, wanted: i32) -> i32 {
    let step = (wanted - speed) / 3;
    if step == 0 { wanted } else { speed + step }
}

/// The walls throw back half.
fn within(position: i32, speed: i32) -> (i32, i32) {
    if position < RADIUS {
        (RADIUS, -speed / 2)
    } else if position > FIELD - RADIUS {
        (FIELD - RADIUS, -speed / 2)
    } else {
        (position, speed)
    }
}

/// The whole part of the square root; 0 for what is negative.
#[must_use]
pub fn root(square: i32) -> i32 {
    square.max(0).isqrt()
}
