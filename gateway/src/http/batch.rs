//! `POST /v1/publish`: many messages, to one room or to several, each with an answer of its own.

use std::collections::BTreeMap;

use deployment::Settings;
use futures_util::{StreamExt as _, stream};
use schemas::{
    Capability, RoomName, Tenant,
    http::{BatchAnswer, BatchBody, BatchResult, Problem, PublishCall, RoomCall},
    limits,
    server_message::BatchResults,
};
use serde_json::value::RawValue;
use worker::Response;

use super::messages::{IDEMPOTENCY_KEY, parse_publish, publish_call};
use crate::{
    access::{self, Call, Credentials},
    body,
    exchange::Exchange,
    failure::Failure,
    response,
};

/// So many rooms are asked at a time.
const ROOMS_AT_ONCE: usize = 16;

/// What one room is asked, and of which messages of the batch.
struct Share {
    room: RoomName,
    tenant: Tenant,
    indexes: Vec<usize>,
    call: RoomCall,
}

pub(crate) async fn answer(exchange: &mut Exchange<'_>) -> Result<Response, Failure> {
    let credentials = exchange.credentials().await?;
    if exchange.header(IDEMPOTENCY_KEY).is_some() {
        return Err(Failure::invalid(IDEMPOTENCY_KEY, "is for one publish: each message has a `key`"));
    }
    let body: BatchBody = body::parse_object(&exchange.body(limits::BATCH_BYTES_MAX).await?, &[])?;
    let count = body.messages.len();
    if !(1..=limits::BATCH_MAX).contains(&count) {
        return Err(Failure::invalid("messages", format!("are 1 to {}", limits::BATCH_MAX)));
    }
    let messages = body.messages.iter().enumerate();
    let checked = messages.map(|(index, message)| {
        let checked = check(exchange.settings, &credentials, message.get());
        checked.map_err(|failure| Box::new(failure.within(&format!("messages[{index}]")).problem()))
    });
    let (shares, mut results) = share(checked.collect());
    let exchange = &*exchange;
    let asked = stream::iter(shares).map(|share| async move {
        let found = ask(exchange, &share).await;
        (share.indexes, found)
    });
    let answers: Vec<_> = asked.buffer_unordered(ROOMS_AT_ONCE).collect().await;
    for (indexes, found) in answers {
        results.extend(indexes.into_iter().zip(found));
    }
    response::json(&BatchAnswer { results: results.into_values().collect() })
}

/// A message of the batch that may be forwarded.
type Checked<'a> = (Call<'a>, PublishCall);

fn check<'a>(
    settings: &'a Settings,
    credentials: &Credentials<'a>,
    message: &str,
) -> Result<Checked<'a>, Failure> {
    let mut fields: BTreeMap<String, Box<RawValue>> = body::parse(message.as_bytes())?;
    let room = fields.remove("room").ok_or_else(|| Failure::invalid("room", "is missing"))?;
    let room: String = body::parse(room.get().as_bytes()).map_err(|failure| failure.within("room"))?;
    let call = access::call_as(settings, &room, credentials, &[Capability::Publish])?;
    let rest = serde_json::to_vec(&fields).map_err(|error| Failure::NotJson(error.to_string()))?;
    let publish = publish_call(parse_publish(&rest)?, None, &call)?;
    Ok((call, publish))
}

/// Those of one room go there together, in their order. What was refused has its result already.
fn share(checked: Vec<Result<Checked<'_>, Box<Problem>>>) -> (Vec<Share>, BTreeMap<usize, BatchResult>) {
    let mut results = BTreeMap::new();
    let mut by_room: BTreeMap<String, (Call<'_>, Vec<usize>, Vec<PublishCall>)> = BTreeMap::new();
    for (index, checked) in checked.into_iter().enumerate() {
        match checked {
            Ok((call, publish)) => {
                let name = call.room.object_name(&call.tenant);
                let (_, indexes, publishes) =
                    by_room.entry(name).or_insert_with(|| (call, Vec::new(), Vec::new()));
                indexes.push(index);
                publishes.push(publish);
            }
            Err(error) => drop(results.insert(index, BatchResult::Refused { error: *error })),
        }
    }
    let shares = by_room.into_values().map(|(call, indexes, publishes)| Share {
        call: call.asking(RoomCall::Batch(publishes)),
        room: call.room,
        tenant: call.tenant,
        indexes,
    });
    (shares.collect(), results)
}

/// One result for each message of the share. Where the room as a whole says no, each has that problem.
async fn ask(exchange: &Exchange<'_>, share: &Share) -> Vec<BatchResult> {
    let refused = |error: Problem| vec![BatchResult::Refused { error }; share.indexes.len()];
    let answer = match exchange.ask(&share.room, &share.tenant, &share.call).await {
        Ok(mut answer) if answer.status_code() == 200 => answer.json::<BatchResults>().await,
        Ok(mut answer) => match answer.json::<Problem>().await {
            Ok(problem) => return refused(problem),
            Err(error) => Err(error),
        },
        Err(failure) => return refused(failure.problem()),
    };
    match answer {
        Ok(answer) => answer.results.into_iter().map(BatchResult::from).collect(),
        Err(error) => refused(Failure::platform("read the room's answer")(error).problem()),
    }
}

#[cfg(test)]
mod tests;
