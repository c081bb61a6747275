//! Results that come chunk by chunk.

use garde::Validate;
use room_core::behavior::{Context, Failure, Interface, Next, Stream};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::Fixture;

pub(crate) fn describe(interface: &mut Interface<Fixture>) {
    interface.stream("numbers", Fixture::numbers);
    interface.stream("counts", Fixture::counts);
    interface.stream("blocks", Fixture::blocks);
    interface.method("streaming", Fixture::streaming);
}

#[derive(Debug, Deserialize, Serialize, Validate, TS)]
pub struct Numbers {
    #[garde(range(max = 100_000))]
    to: u32,
    #[serde(default)]
    #[garde(skip)]
    fails: bool,
}

#[derive(Debug, Deserialize, Validate, TS)]
#[garde(allow_unvalidated)]
pub struct Blocks {
    count: u32,
    bytes: u32,
}

impl Fixture {
    /// From 0 to the last, and an error there where it is asked for.
    pub fn numbers(
        &mut self,
        _: &mut Context<'_>,
        Numbers { to, fails }: Numbers,
    ) -> Result<Stream<Fixture, u32>, Failure> {
        let mut next = 0;
        Ok(Stream::new(move |_, _| {
            if next == to {
                return if fails { Next::Fail(Failure::new("asked to fail").data(&to)) } else { Next::Done };
            }
            next += 1;
            Next::Item(next - 1)
        }))
    }

    /// Each value of the counter that there is from now on, until it is 10.
    fn counts(&mut self, ctx: &mut Context<'_>, (): ()) -> Result<Stream<Fixture, u32>, Failure> {
        ctx.put("watched", &true);
        let mut last = None;
        Ok(Stream::new(move |this: &mut Fixture, _: &mut Context<'_>| {
            if last == Some(10) {
                return Next::Done;
            }
            match last.replace(this.count) {
                Some(before) if before == this.count => Next::Wait,
                _ => Next::Item(this.count),
            }
        }))
    }

    /// Long items, each counted as it is asked for.
    fn blocks(
        &mut self,
        _: &mut Context<'_>,
        Blocks { count, bytes }: Blocks,
    ) -> Result<Stream<Fixture, String>, Failure> {
        let mut left = count;
        Ok(Stream::new(move |this: &mut Fixture, _: &mut Context<'_>| {
            if left == 0 {
                return Next::Done;
            }
            left -= 1;
            this.inputs += 1;
            Next::Item("x".repeat(bytes as usize))
        }))
    }

    /// Whether `blocks` was asked since this was called last, and how often.
    fn streaming(&mut self, _: &mut Context<'_>, (): ()) -> Result<u32, Failure> {
        Ok(std::mem::take(&mut self.inputs))
    }
}
