//! Request bodies, with their bound enforced while they are read.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use worker::Request;

use crate::failure::Failure;

/// Whoever is still writing reads no answer: of a body that is too long, so many bytes are taken all the same.
const OVERLONG_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Reads a body of at most so many bytes. A longer one is refused: at once where it says that it is far longer, and
/// else once it was taken, as far as [`OVERLONG_BYTES_MAX`] goes.
pub(crate) async fn read(request: &mut Request, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let too_large = || Failure::TooLarge { what: "the body", bytes_max };
    let taken_max = bytes_max + OVERLONG_BYTES_MAX;
    let declared = request.headers().get("content-length").ok().flatten();
    if declared.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > taken_max as u64)
    {
        return Err(too_large());
    }
    if request.inner().body().is_none() {
        return Ok(Vec::new());
    }
    let mut stream = request.stream().map_err(Failure::platform("read the body"))?;
    let (mut body, mut taken) = (Vec::new(), 0);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(Failure::platform("read the body"))?;
        taken += chunk.len();
        match taken <= bytes_max {
            true => body.extend_from_slice(&chunk),
            false => body = Vec::new(),
        }
        if taken > taken_max {
            break;
        }
    }
    if taken > bytes_max { Err(too_large()) } else { Ok(body) }
}

/// What is no JSON is `bad_request`; what is JSON of the wrong shape is `invalid_argument` with the path.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if error.is_data() {
            Failure::invalid(path, error.to_string())
        } else {
            Failure::NotJson(error.to_string())
        }
    })?;
    deserializer.end().map_err(|error| Failure::NotJson(error.to_string()))?;
    Ok(value)
}

/// As [`parse`], for a body that is an object, as are these fields of it where they are given. (Derived readers take
/// a list for an object, its items being the fields in their order.)
pub(crate) fn parse_object<T: DeserializeOwned>(body: &[u8], objects: &[&str]) -> Result<T, Failure> {
    let fields: BTreeMap<String, Box<RawValue>> = parse(body)?;
    for name in objects {
        let text = fields.get(*name).map_or("{", |raw| raw.get());
        if !text.starts_with('{') && text != "null" {
            return Err(Failure::invalid(*name, "is an object"));
        }
    }
    parse(body)
}

#[cfg(test)]
mod tests {
    use schemas::{
        ErrorCode,
        http::{PublishBody, TokenBody},
    };

    use super::*;

    #[test]
    fn r_http_3_what_is_no_json_is_a_bad_request() {
        for body in
            ["", " ", "{", "nul", "{\"data\":1} x", "{\"data\":1}{}", "\0", "{\"data\":}", "{'data':1}"]
        {
            let failure = parse_object::<PublishBody>(body.as_bytes(), &["to", "from"]).expect_err(body);
            assert_eq!(failure.problem().code, ErrorCode::BadRequest.as_str(), "{body}: {failure}");
        }
        let not_utf8 = parse::<PublishBody>(b"{\"data\":1,\"type\":\"\xff\"}").expect_err("no UTF-8");
        assert_eq!(not_utf8.problem().status, 400);
    }

    #[test]
    fn r_http_3_a_wrong_shape_is_an_invalid_argument_with_its_path() {
        let rows = [
            ("{}", "."),
            ("[1]", "."),
            ("7", "."),
            (r#"{"data":1,"to":[]}"#, "to"),
            (r#"{"data":1,"to":[["a"]]}"#, "to"),
            (r#"{"data":1,"from":["ann"]}"#, "from"),
            (r#"{"data":1,"tags":"one"}"#, "tags"),
            (r#"{"data":1,"tags":["a",1]}"#, "tags[1]"),
            (r#"{"data":1,"to":{"users":["a",""]}}"#, "to.users[1]"),
            (r#"{"data":1,"type":7}"#, "type"),
            (r#"{"data":1,"from":{"user":""}}"#, "from.user"),
            (r#"{"data":1,"from":{"info":{}}}"#, "from"),
            (r#"{"data":1,"ephemeral":"yes"}"#, "ephemeral"),
            (r#"{"data":1,"surprise":true}"#, "surprise"),
        ];
        for (body, path) in rows {
            let problem =
                parse_object::<PublishBody>(body.as_bytes(), &["to", "from"]).expect_err(body).problem();
            assert_eq!((problem.status, problem.code.as_str()), (400, "invalid_argument"), "{body}");
            let paths: Vec<&str> = problem.details.iter().map(|detail| detail.path.as_str()).collect();
            assert_eq!(paths, [path], "{body}: {}", problem.title);
        }
        assert!(parse::<TokenBody>(br#"{"sub":"a","rooms":{"*":["fly"]},"ttl":1}"#).is_err());
    }

    #[test]
    fn r_http_3_a_payload_passes_as_it_was_written() {
        let body: PublishBody = parse(br#"{"data": {"a" :1.0} }"#).expect("a body");
        let payload = body.data.check().expect("a payload");
        assert_eq!(payload.len(), r#"{"a" :1.0}"#.len());
    }
}
