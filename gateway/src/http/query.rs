//! The parameters of an address. Unknown ones are ignored.

use schemas::Offset;
use worker::{Request, url::form_urlencoded};

use crate::failure::Failure;

#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a request's. The platform has parsed the address; behind the first `?` is the query, to the end or `#`.
    pub(crate) fn of(request: &Request) -> Query {
        let url = request.inner().url();
        let query = url.split_once('?').map_or("", |(_, rest)| rest);
        Query::parse(query.split_once('#').map_or(query, |(query, _)| query))
    }

    pub(super) fn parse(query: &str) -> Query {
        Query(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The one value; two are a contradiction.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Failure> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Failure::invalid(name, "stands twice")),
            (value, None) => Ok(value),
        }
    }

    /// A list with commas, which may stand more than once.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let items = self.all(name).flat_map(|items| items.split(','));
        items.filter(|item| !item.is_empty()).map(ToOwned::to_owned).collect()
    }

    pub(super) fn limit(&self, default: u32, max: u32) -> Result<u32, Failure> {
        let Some(text) = self.one("limit")? else { return Ok(default) };
        digits(text)
            .and_then(|limit| u32::try_from(limit).ok())
            .filter(|limit| (1..=max).contains(limit))
            .ok_or_else(|| Failure::invalid("limit", format!("is 1 to {max}")))
    }

    pub(super) fn offset(&self, name: &str) -> Result<Option<Offset>, Failure> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        offset(text)
            .map(Some)
            .ok_or_else(|| Failure::invalid(name, "is an offset: a whole number below 2^53"))
    }
}

/// An offset as addresses write it.
pub(super) fn offset(text: &str) -> Option<Offset> {
    digits(text).and_then(Offset::new)
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_http_3_numbers_are_digits_within_their_bounds() {
        for text in ["0", "201", "-1", "+1", "x", "", "1.0", "1e2", " 1", "99999999999999999999"] {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("limit", text).finish();
            assert!(Query::parse(&query).limit(50, 200).is_err(), "{text:?}");
        }
        assert!(matches!(Query::parse("limit=200").limit(50, 200), Ok(200)));
        assert!(matches!(Query::parse("").limit(50, 200), Ok(50)));
        assert!(Query::parse("limit=1&limit=2").limit(50, 200).is_err());
        for text in ["x", "-3", "", "9007199254740992"] {
            assert!(Query::parse(&format!("after={text}")).offset("after").is_err(), "{text:?}");
        }
        let last = Query::parse("after=9007199254740991").offset("after");
        assert!(matches!(last, Ok(Some(offset)) if offset.value() == 9_007_199_254_740_991));
    }
}
