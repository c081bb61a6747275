//! What happens in time.

use room_core::behavior::{Behavior, Context, Failure, Interface, Message, Tick};

/// Sends its number each 50 ms while anyone is here.
#[derive(Debug)]
pub struct Ticker {
    last: u64,
}

impl Behavior for Ticker {
    const NAME: &'static str = "ticker";
    const TICK_MS: u64 = 50;

    fn describe(interface: &mut Interface<Self>) {
        interface.event::<u64>("tick");
        interface.method("last", Self::last);
    }

    fn started(_: &mut Context<'_>) -> Result<Ticker, Failure> {
        Ok(Ticker { last: 0 })
    }

    fn tick(&mut self, ctx: &mut Context<'_>, tick: Tick) {
        self.last = tick.number;
        ctx.send(Message::new("tick", &tick.number));
    }
}

impl Ticker {
    fn last(&mut self, _: &mut Context<'_>, (): ()) -> Result<u64, Failure> {
        Ok(self.last)
    }
}
