//! A poll with a deadline: a backend opens it, everyone here votes and may change their mind, all see the tally.

use garde::Validate;
use room_core::behavior::{Behavior, Context, Failure, Fired, Interface, Message, When};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

#[derive(Debug, Deserialize, Serialize, TS, Validate)]
#[garde(allow_unvalidated)]
pub struct Open {
    pub question: String,
    #[garde(length(min = 2, max = 20))]
    pub options: Vec<String>,
    #[garde(range(min = 1, max = 604_800))]
    pub seconds: u32,
}

#[derive(Debug, Deserialize, Serialize, TS, Validate)]
#[garde(allow_unvalidated)]
pub struct Vote {
    pub option: usize,
}

#[derive(Debug, Deserialize, Serialize, TS)]
pub struct Tally {
    pub question: String,
    pub options: Vec<String>,
    pub votes: Vec<u32>,
    pub is_open: bool,
}

#[derive(Debug, PartialEq, Deserialize, Serialize, TS, thiserror::Error)]
pub enum PollError {
    #[error("the poll is opened already")]
    Opened,
    #[error("the poll is closed")]
    Closed,
    #[error("there is no such option")]
    NoSuchOption,
}

#[derive(Debug)]
pub struct Poll;

impl Behavior for Poll {
    const NAME: &'static str = "poll";

    fn describe(interface: &mut Interface<Self>) {
        interface.service("open", Self::open);
        interface.method("vote", Self::vote);
        interface.event::<Tally>("closed");
        interface.state::<Tally>("tally");
    }

    fn started(_: &mut Context<'_>) -> Result<Poll, Failure> {
        Ok(Poll)
    }

    fn timer(&mut self, ctx: &mut Context<'_>, _: &Fired) -> Result<(), Failure> {
        let tally = ctx.shared("tally").map(|tally| Tally { is_open: false, ..tally });
        ctx.share("tally", &tally);
        ctx.publish(Message::new("closed", &tally));
        Ok(())
    }
}

impl Poll {
    pub fn open(&mut self, ctx: &mut Context<'_>, open: Open) -> Result<(), PollError> {
        if ctx.shared::<Tally>("tally").is_some() {
            return Err(PollError::Opened);
        }
        let Open { question, options, seconds } = open;
        ctx.share("tally", &Tally { question, votes: vec![0; options.len()], options, is_open: true });
        ctx.schedule("close", When::After(u64::from(seconds) * 1_000), &());
        Ok(())
    }

    pub fn vote(&mut self, ctx: &mut Context<'_>, Vote { option }: Vote) -> Result<Tally, PollError> {
        let tally = ctx.shared::<Tally>("tally").filter(|tally| tally.is_open);
        let mut tally = tally.ok_or(PollError::Closed)?;
        let voter = format!("vote/{:?}", ctx.caller().user);
        if let Some(before) = ctx.get::<usize>(&voter) {
            tally.votes[before] -= 1;
        }
        *tally.votes.get_mut(option).ok_or(PollError::NoSuchOption)? += 1;
        ctx.put(&voter, &option);
        ctx.share("tally", &tally);
        Ok(tally)
    }
}
