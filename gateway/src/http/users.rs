//! `POST /v1/users/{user}/publish`: to the room that is the user's own.

use schemas::{RoomName, UserId};
use worker::Response;

use super::messages;
use crate::{access::PERSONAL_KIND, exchange::Exchange, failure::Failure};

pub(crate) async fn publish(exchange: &mut Exchange<'_>, user: &str) -> Result<Response, Failure> {
    messages::publish(exchange, &own_room(user)?).await
}

/// The name of the user's own room.
fn own_room(user: &str) -> Result<String, Failure> {
    let room = format!("{PERSONAL_KIND}:{user}");
    if UserId::parse(user).is_none() || RoomName::parse(&room).is_none() {
        let message = "is 1 to 128 of [A-Za-z0-9._~-]: no other has a room of its own";
        return Err(Failure::invalid("user", message));
    }
    Ok(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_write_5_a_user_has_a_room_where_its_name_is_one() {
        for user in ["ann", "a.b_c~d-9", "7", &"u".repeat(128)] {
            assert_eq!(own_room(user).expect(user), format!("user:{user}"));
        }
        for user in ["", "a b", "a:b", "a/b", "ann@example.com", "%61", "\u{e9}", &"u".repeat(129)] {
            let problem = own_room(user).expect_err(user).problem();
            assert_eq!(
                (problem.code.as_str(), problem.details[0].path.as_str()),
                ("invalid_argument", "user")
            );
        }
    }
}
