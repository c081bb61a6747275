//! Results that come chunk by chunk.

use std::{any::Any, fmt, marker::PhantomData};

use schemas::Payload;
use serde::Serialize;

use super::{Behavior, context::Context, failure::Failure, interface::payload_of};

/// What a stream has next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next<T> {
    /// At most 1 MiB as JSON, or the stream ends with `too_large`.
    Item(T),
    /// Nothing now: it is asked again once anything else has run in the room.
    Wait,
    /// Nothing now: it is asked again after so many milliseconds.
    After(u64),
    Done,
    /// It ends with an error.
    Fail(Failure),
}

type Step = dyn FnMut(&mut dyn Any, &mut Context<'_>) -> Next<Payload>;

/// A stream whose types are forgotten.
pub(crate) struct Chunks(Box<Step>);

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chunks")
    }
}

impl Chunks {
    pub(crate) fn next(&mut self, behavior: &mut dyn Any, ctx: &mut Context<'_>) -> Next<Payload> {
        (self.0)(behavior, ctx)
    }
}

/// What a streamed method returns: it is asked for its items as fast as they are read, and forgotten where nobody
/// waits for them any more. It lives in memory alone: a restart of the room ends it with `unavailable`.
pub struct Stream<B, T> {
    chunks: Chunks,
    of: PhantomData<fn(&mut B) -> T>,
}

impl<B, T> fmt::Debug for Stream<B, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl<B: Behavior, T: Serialize> Stream<B, T> {
    /// A stream of what `next` returns.
    pub fn new(mut next: impl FnMut(&mut B, &mut Context<'_>) -> Next<T> + 'static) -> Stream<B, T> {
        let step = move |behavior: &mut dyn Any, ctx: &mut Context<'_>| {
            let behavior = behavior.downcast_mut().expect("a stream is asked with its own behavior");
            match next(behavior, ctx) {
                Next::Item(item) => payload_of("the item", &item).map_or_else(Next::Fail, Next::Item),
                Next::Wait => Next::Wait,
                Next::After(ms) => Next::After(ms),
                Next::Done => Next::Done,
                Next::Fail(failure) => Next::Fail(failure),
            }
        };
        Stream { chunks: Chunks(Box::new(step)), of: PhantomData }
    }

    /// A stream of what there is already.
    pub fn of(items: impl IntoIterator<Item = T, IntoIter: 'static>) -> Stream<B, T> {
        let mut items = items.into_iter();
        Stream::new(move |_, _| items.next().map_or(Next::Done, Next::Item))
    }

    pub(crate) fn into_chunks(self) -> Chunks {
        self.chunks
    }
}
