//! What is kept with a socket, and rows of earlier layouts.

use crate::support::{START, claims, connection, json, table, table_with_rates, text_of};
use room_core::{ATTACHMENT_BYTES_MAX, Attachment, Buckets, Record, Row};
use schemas::{
    Claims, Codec, ServerMessage,
    config::{KindConfig, Rate, Rates},
    limits::{TAG_BYTES_MAX, TAGS_SUBSCRIBED_MAX, TAGS_TOKEN_MAX},
};
use serde::Serialize;

/// The first layout: the second without `rates`.
#[derive(Serialize)]
struct First<'a> {
    connection: &'a str,
    codec: Codec,
    claims: &'a Claims,
    written_at: u64,
    joined: Option<FirstJoin<'a>>,
}

#[derive(Serialize)]
struct FirstJoin<'a> {
    session: &'a str,
    subscribed: &'a [&'a str],
    sees_members: bool,
}

/// Of session `session-1`, whose public form this is.
fn first_layout(claims: &Claims) -> Vec<u8> {
    let joined = FirstJoin { session: "hAl4KPwxqMjSkhDf", subscribed: &["x"], sees_members: true };
    let first = First {
        connection: "00000000000001",
        codec: Codec::Json,
        claims,
        written_at: START,
        joined: Some(joined),
    };
    let mut bytes = vec![1];
    bytes.extend(rmp_serde::to_vec_named(&first).expect("plain data"));
    bytes
}

#[test]
fn r_life_9_an_attachment_of_the_first_layout_is_read() {
    let attachment = Attachment::decode(&first_layout(&claims("ada"))).expect("the first layout");
    assert_eq!((attachment.connection, attachment.written_at), (connection(1), START));
    assert_eq!(attachment.rates, Buckets::default());
    assert_eq!(attachment.claims, claims("ada"));
    let joined = attachment.joined.as_ref().expect("it had joined");
    assert_eq!((joined.subscribed.as_slice(), joined.sees_members), (&["x".to_owned()][..], true));
    let written = attachment.encode();
    assert_ne!(written[0], 1, "what is written is of the newest layout");
    assert_eq!(Attachment::decode(&written), Some(attachment));
}

#[test]
fn r_life_9_a_connection_of_the_first_layout_goes_on_as_if_nothing_had_been() {
    let rate = Some(Rate { per_second: 1, burst: 30 });
    let rates = Rates { publish: rate, request: rate };
    let mut table = table_with_rates(KindConfig { rates, ..KindConfig::default() });
    let (ada, _) = table.join_with(1, claims("ada"), r#","tags":["x"]"#);
    let bob = table.join(2, "bob");
    table.attachments.insert(ada, first_layout(&claims("ada")));
    table.hibernate();
    table.publish(bob, 1, r#","tags":["x"]"#);
    table.flush();
    assert_eq!(table.offsets(ada), [1]);
    for _ in 0..30 {
        table.request(ada, r#""t":"publish","data":1"#).expect("its bucket is full");
    }
    table.hibernate();
    table.request(ada, r#""t":"publish","data":1"#).expect_err("and is kept in the newest layout");
}

#[test]
fn r_life_9_what_cannot_be_read_is_no_attachment_and_its_connection_is_closed_3001() {
    let newest = {
        let mut table = table();
        let ada = table.join(1, "ada");
        table.attachments[&ada].clone()
    };
    let mut newer = newest.clone();
    newer[0] += 1;
    for bytes in [vec![], vec![0], vec![1], newer, newest[..newest.len() / 2].to_vec(), vec![0xff; 64]] {
        assert_eq!(Attachment::decode(&bytes), None);
        let mut table = table();
        let (ada, bob) = (table.join(1, "ada"), table.join(2, "bob"));
        table.attachments.insert(ada, bytes);
        table.hibernate();
        table.publish(bob, 1, "");
        assert_eq!(table.closed.get(&ada), Some(&3001));
        table.flush();
        assert_eq!(table.info().occupancy.members, 2, "its membership gets the grace");
        table.pass(10_000);
        assert_eq!(table.info().occupancy.members, 1);
    }
    assert_eq!(Attachment::decode(&newest).map(|read| read.encode()), Some(newest));
}

/// A user, a profile, tags and rates as large as they may be.
#[test]
fn r_rate_3_an_attachment_at_every_bound_fits() {
    let rate = Some(Rate { per_second: 1, burst: 100_000 });
    let rates = Rates { publish: rate, request: rate };
    let mut table = table_with_rates(KindConfig { rates, ..KindConfig::default() });
    let tag = |prefix: &str, index: usize| format!("{prefix}{index:0width$}", width = TAG_BYTES_MAX - 1);
    let info = json(&format!("\"{}\"", "x".repeat(1_022)));
    let claims = Claims {
        user: schemas::UserId::parse(&"u".repeat(128)),
        info: Some(info),
        tags: (0..TAGS_TOKEN_MAX).map(|index| tag("$", index)).collect(),
        expires_at: Some(START + 1_000_000_000),
        issued_at: Some(START),
        jti: schemas::TokenId::parse("0123456789abcdef"),
        ..claims("x")
    };
    let tags: Vec<String> =
        (0..TAGS_SUBSCRIBED_MAX).map(|index| format!("\"{}\"", tag("s", index))).collect();
    let (ada, _) = table.join_with(1, claims, &format!(r#","tags":[{}]"#, tags.join(",")));
    for _ in 0..12 {
        table.request(ada, r#""t":"publish","data":1"#).expect("a publish");
        table.request(ada, r#""t":"members","limit":1"#).expect("a page");
    }
    let bytes = table.attachments[&ada].len();
    assert!(bytes > 3_500 && bytes <= ATTACHMENT_BYTES_MAX, "{bytes} bytes");
    let kept = Attachment::decode(&table.attachments[&ada]).expect("an attachment").rates;
    assert!(
        kept.publish != schemas::rates::Bucket::default()
            && kept.request != schemas::rates::Bucket::default()
    );
    table.hibernate();
    table.request(ada, r#""t":"publish","data":1"#).expect("it goes on");
}

#[test]
fn r_life_9_a_log_row_of_the_first_layout_holds_its_data_in_its_body() {
    let mut table = table();
    let ada = table.join(1, "ada");
    table.request(ada, r#""t":"publish","data":"secret","tags":["x"]"#).expect("a publish");
    let rows = table.storage.rows();
    let record = Record::decode(&rows[0]).expect("a record");
    assert_eq!(text_of(record.publication.data.as_ref()), "\"secret\"");
    let first = Row { body: rmp_serde::to_vec_named(&record).expect("plain data"), data: None };
    assert!(first.body.windows(6).any(|window| window == b"secret"));
    assert_eq!(Record::decode(&first).expect("the first layout"), record);
    let erased = Row { body: record.encode_body(), data: None };
    assert!(!erased.body.windows(6).any(|window| window == b"secret"), "what is written holds none");
    let publication = Record::decode(&erased).expect("an erased record").publication;
    assert!(publication.removed && publication.data.is_none() && publication.tags == ["x"]);
    assert!(
        matches!(&table.take(ada)[..], [ServerMessage::Presence(_), ..] | []),
        "tags reach their carriers"
    );
}

/// What is so for almost everyone costs no byte.
#[test]
fn r_rate_3_an_attachment_says_nothing_of_members_that_are_wanted() {
    let says_so = |extra: &str| {
        let mut table = table();
        let (ada, _) = table.join_with(1, claims("ada"), extra);
        table.attachments[&ada].windows(2).any(|bytes| bytes == [0xa1, b'w'])
    };
    assert_eq!((says_so(""), says_so(r#","members":false"#)), (false, true));
}
