//! A behavior that lets everything pass and writes down what it saw: whatever happens to the room, what it wrote must
//! be what was committed beside it.

use room_core::behavior::{
    Admission, Behavior, Context, Failure, Fired, Hosted, Interface, Joining, Leaving, Publishing, Refusal,
    Verdict, When,
};

#[derive(Debug)]
pub(crate) struct Witness {
    /// In memory: as many as are stored.
    published: u64,
}

/// Publications that it saw go to the log.
pub(crate) const PUBLISHED: &str = "published";

#[must_use]
pub(crate) fn witness() -> Hosted {
    Hosted::of::<Witness>()
}

/// A number as a behavior stores it.
pub(crate) fn number(value: &[u8]) -> u64 {
    rmp_serde::from_slice(value).expect("the witness stores numbers")
}

impl Behavior for Witness {
    const NAME: &'static str = "witness";

    fn describe(_: &mut Interface<Self>) {}

    fn started(ctx: &mut Context<'_>) -> Result<Self, Failure> {
        Ok(Witness { published: ctx.get(PUBLISHED).unwrap_or(0) })
    }

    fn join(&mut self, ctx: &mut Context<'_>, joining: &Joining) -> Result<Admission, Refusal> {
        ctx.schedule("look", When::after("20s"), &joining.user);
        Ok(Admission::default())
    }

    fn leave(&mut self, ctx: &mut Context<'_>, _: &Leaving) {
        let left: u64 = ctx.get("left").unwrap_or(0);
        ctx.put("left", &(left + 1));
    }

    fn publish(&mut self, ctx: &mut Context<'_>, publishing: &Publishing<'_>) -> Verdict {
        if !publishing.ephemeral {
            self.published += 1;
            ctx.put(PUBLISHED, &self.published);
        }
        Verdict::Pass
    }

    /// A room with timers does not expire: it soon succeeds.
    fn timer(&mut self, ctx: &mut Context<'_>, timer: &Fired) -> Result<(), Failure> {
        match timer.attempt < 3 && ctx.random().is_multiple_of(3) {
            true => Err(Failure::new("another time")),
            false => Ok(()),
        }
    }
}
