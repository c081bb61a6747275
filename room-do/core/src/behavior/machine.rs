//! State machines: declared, kept, and honest about what may happen next.

use std::{fmt, marker::PhantomData};

use schemas::ErrorCode;
use serde::{Serialize, de::DeserializeOwned};

use super::{context::Context, failure::Failure};

/// States, events, and which leads where.
pub trait StateMachine: 'static {
    /// Under which its state is kept: a room has one of each name.
    const NAME: &'static str;
    type State: Copy + Eq + fmt::Debug + Serialize + DeserializeOwned;
    type Event: Copy + Eq + fmt::Debug + Serialize;
    const INITIAL: Self::State;
    /// From, event, to. Of two with the same state and event the first counts.
    const TRANSITIONS: &'static [(Self::State, Self::Event, Self::State)];
}

/// An event that the machine's state does not allow.
pub struct InvalidTransition<M: StateMachine> {
    pub state: M::State,
    pub event: M::Event,
    pub valid_events: Vec<M::Event>,
    of: PhantomData<M>,
}

impl<M: StateMachine> fmt::Debug for InvalidTransition<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(M::NAME).field("state", &self.state).field("event", &self.event).finish()
    }
}

impl<M: StateMachine> fmt::Display for InvalidTransition<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, event, valid) = (&self.state, &self.event, &self.valid_events);
        write!(f, "{} is {state:?}: {event:?} is not possible, {valid:?} are", M::NAME)
    }
}

impl<M: StateMachine> std::error::Error for InvalidTransition<M> {}

#[derive(Serialize)]
struct Told<'a, S, E> {
    state: S,
    event: E,
    valid_events: &'a [E],
}

impl<M: StateMachine> From<InvalidTransition<M>> for Failure {
    fn from(error: InvalidTransition<M>) -> Failure {
        let told = Told { state: error.state, event: error.event, valid_events: &error.valid_events };
        Failure::with_code(ErrorCode::InvalidTransition, error.to_string()).data(&told)
    }
}

/// Under which the state of a machine is kept: no key of a behavior's own begins with `$`.
fn key<M: StateMachine>() -> String {
    format!("$machine/{}", M::NAME)
}

impl Context<'_> {
    /// The machine's state.
    #[must_use]
    pub fn machine<M: StateMachine>(&mut self) -> M::State {
        self.read(&key::<M>()).unwrap_or(M::INITIAL)
    }

    /// Whether the event may happen now.
    #[must_use]
    pub fn can<M: StateMachine>(&mut self, event: M::Event) -> bool {
        let state = self.machine::<M>();
        leads_to::<M>(state, event).is_some()
    }

    /// The events that may happen now.
    #[must_use]
    pub fn valid_events<M: StateMachine>(&mut self) -> Vec<M::Event> {
        valid::<M>(self.machine::<M>())
    }

    /// Lets the event happen, and returns the state that it led to.
    ///
    /// # Errors
    /// Where the state does not allow it; the error names the events that it does.
    pub fn fire<M: StateMachine>(&mut self, event: M::Event) -> Result<M::State, InvalidTransition<M>> {
        let state = self.machine::<M>();
        let Some(next) = leads_to::<M>(state, event) else {
            return Err(InvalidTransition { state, event, valid_events: valid::<M>(state), of: PhantomData });
        };
        self.write(key::<M>(), &next);
        Ok(next)
    }

    /// Puts the machine back to its initial state.
    pub fn reset<M: StateMachine>(&mut self) {
        self.erase(key::<M>());
    }
}

fn leads_to<M: StateMachine>(state: M::State, event: M::Event) -> Option<M::State> {
    let mut transitions = M::TRANSITIONS.iter();
    transitions.find(|(from, on, _)| *from == state && *on == event).map(|(_, _, to)| *to)
}

fn valid<M: StateMachine>(state: M::State) -> Vec<M::Event> {
    let from_here = M::TRANSITIONS.iter().filter(|(from, _, _)| *from == state);
    from_here.map(|(_, event, _)| *event).collect()
}
