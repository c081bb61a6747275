//! A number that everybody in the room sees, and may add to.

use garde::Validate;
use room_core::behavior::{Behavior, Context, Failure, Interface, Message};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Where storage keeps the number, and what clients know it as.
const COUNT: &str = "count";

/// In memory; whatever is here is read again from storage by [`Counter::started`].
#[derive(Debug)]
pub struct Counter {
    count: u64,
}

/// What `add` takes.
#[derive(Debug, Deserialize, Validate, TS)]
#[serde(deny_unknown_fields)]
pub struct Add {
    #[garde(range(min = 1, max = 100))]
    pub by: u32,
}

/// What `add` returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Count {
    pub count: u64,
}

/// Published as `added`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Added {
    pub by: u32,
    /// Who added; absent for a backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub user: Option<String>,
    pub count: u64,
}

impl Behavior for Counter {
    const NAME: &'static str = "counter";

    fn describe(interface: &mut Interface<Self>) {
        interface.method("add", Self::add);
        interface.service("reset", Self::reset);
        interface.event::<Added>("added");
        interface.state::<u64>(COUNT);
    }

    fn started(ctx: &mut Context<'_>) -> Result<Counter, Failure> {
        Ok(Counter {
            count: ctx.get(COUNT).unwrap_or_default(),
        })
    }
}

impl Counter {
    /// For everybody here who has the capability `call`.
    fn add(&mut self, ctx: &mut Context<'_>, Add { by }: Add) -> Result<Count, Failure> {
        self.keep(ctx, self.count + u64::from(by));
        let user = ctx.caller().user.as_ref().map(ToString::to_string);
        ctx.publish(Message::new(
            "added",
            &Added {
                by,
                user,
                count: self.count,
            },
        ));
        Ok(Count { count: self.count })
    }

    /// For backends alone: `POST /v1/rooms/counter:<id>/call/reset`.
    fn reset(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<(), Failure> {
        self.keep(ctx, 0);
        Ok(())
    }

    fn keep(&mut self, ctx: &mut Context<'_>, count: u64) {
        self.count = count;
        ctx.put(COUNT, &count);
        ctx.share(COUNT, &count);
    }
}
