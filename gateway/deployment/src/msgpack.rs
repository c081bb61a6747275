//! MessagePack that objects tell one another and keep, read by way of trait objects: one decoder for all types, since
//! one for each would make up a quarter of the module. What connections say does not come this way.

use erased_serde::Deserializer;
use serde::de::DeserializeOwned;

/// Why bytes are not what they should be.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Unreadable(#[from] erased_serde::Error);

/// # Errors
/// When the bytes do not begin with a value of this type.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    let mut value = None;
    let mut take = |decoder: &mut dyn Deserializer<'_>| {
        value = Some(erased_serde::deserialize(decoder)?);
        Ok(())
    };
    decode(bytes, &mut take)?;
    value.ok_or_else(|| Unreadable(serde::de::Error::custom("there is no value")))
}

type Take<'a> = dyn FnMut(&mut dyn Deserializer<'_>) -> Result<(), erased_serde::Error> + 'a;

/// Not generic: here is the one decoder.
fn decode(bytes: &[u8], take: &mut Take<'_>) -> Result<(), erased_serde::Error> {
    let mut decoder = rmp_serde::Deserializer::from_read_ref(bytes);
    take(&mut <dyn Deserializer<'_>>::erase(&mut decoder))
}

#[cfg(test)]
mod tests {
    use schemas::{
        RoomName, Tenant,
        client_message::StateOp,
        http::{Reader, RoomCall},
        payload::Payload,
        webhook::Parked,
    };

    use super::read;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let parked = Parked {
            id: "batch".into(),
            endpoint: "test".into(),
            tenant: Tenant::default_tenant(),
            room: RoomName::parse("chat:a").expect("a room"),
            events: 3,
            body: "{}".into(),
            attempts: 9,
            last_status: None,
            parked_at: 1_800_000_000_000,
        };
        let bytes = rmp_serde::to_vec_named(&parked).expect("plain data");
        assert_eq!(read::<Parked>(&bytes).expect("the same"), parked);
        let value = |text: &str| Payload::from_json(text.into()).expect("JSON");
        let ops = vec![
            StateOp::Set {
                key: "a".into(),
                value: value("[1,{\"b\":null}]"),
                expected: Some(7),
                owned: true,
            },
            StateOp::Delete { key: "b".into(), expected: None },
        ];
        for call in [
            RoomCall::WriteState { ops, moderates: true },
            RoomCall::Messages {
                before: None,
                after: None,
                limit: 3,
                tags: vec!["x".into()],
                reader: Reader::Service,
            },
            RoomCall::Info,
        ] {
            let bytes = rmp_serde::to_vec_named(&call).expect("plain data");
            assert_eq!(read::<RoomCall>(&bytes).expect("the same"), call);
        }
        assert!(read::<Parked>(&bytes[..bytes.len() - 1]).is_err() && read::<Parked>(&[]).is_err());
    }
}
