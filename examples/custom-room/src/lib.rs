//! A poll with a deadline: everyone sees the tally, each user has one vote, and time closes it.

use std::collections::BTreeMap;

use garde::Validate;
use room_core::behavior::{Behavior, Context, Failure, Fired, Interface, List, Message, When};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

#[derive(Debug, Serialize, Deserialize, Validate, TS)]
pub struct Open {
    #[garde(length(min = 1, max = 200))]
    question: String,
    #[garde(length(min = 2, max = 10), inner(length(min = 1, max = 80)))]
    options: Vec<String>,
    #[garde(range(min = 5, max = 86_400))]
    seconds: u32,
}

#[derive(Debug, Deserialize, Validate, TS)]
pub struct Vote {
    #[garde(skip)]
    option: usize,
}

type Tally = BTreeMap<String, u32>;

#[derive(Debug)]
pub struct Poll;

impl Behavior for Poll {
    const NAME: &'static str = "poll";

    fn describe(interface: &mut Interface<Self>) {
        interface.service("open", Self::open);
        interface.method("vote", Self::vote);
        interface.state::<Open>("poll");
        interface.state::<Tally>("tally");
        interface.event::<Tally>("closed");
    }

    fn started(_: &mut Context<'_>) -> Result<Self, Failure> {
        Ok(Poll)
    }

    fn timer(&mut self, ctx: &mut Context<'_>, _: &Fired) -> Result<(), Failure> {
        let tally: Tally = ctx.shared("tally").unwrap_or_default();
        ctx.publish(Message::new("closed", &tally));
        ctx.unshare("poll");
        Ok(())
    }
}

impl Poll {
    pub fn open(&mut self, ctx: &mut Context<'_>, poll: Open) -> Result<(), Failure> {
        let votes = ctx.list::<usize>(&List::prefix("vote/").limit(10_000));
        votes.iter().for_each(|(key, _)| ctx.delete(key));
        ctx.share("poll", &poll);
        ctx.share("tally", &Tally::new());
        ctx.schedule("deadline", When::After(u64::from(poll.seconds) * 1_000), &());
        Ok(())
    }

    pub fn vote(&mut self, ctx: &mut Context<'_>, vote: Vote) -> Result<Tally, Failure> {
        let poll: Open = ctx.shared("poll").ok_or_else(|| Failure::new("no poll is open"))?;
        let option = |index: usize| poll.options.get(index).cloned();
        option(vote.option).ok_or_else(|| Failure::invalid("option", "is none of the poll's"))?;
        let user = ctx.caller().user.clone().ok_or_else(|| Failure::new("a backend has no vote"))?;
        ctx.put(&format!("vote/{user}"), &vote.option);
        let mut tally = Tally::new();
        for (_, index) in ctx.list::<usize>(&List::prefix("vote/").limit(10_000)) {
            *tally.entry(option(index).unwrap_or_default()).or_default() += 1;
        }
        ctx.share("tally", &tally);
        Ok(tally)
    }
}
