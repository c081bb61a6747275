use auth::SigningKey;
use schemas::{config::Config, webhook::EventKind};

use super::{
    Endpoints,
    address::{AddressError, check},
    signatures,
};

fn parse(json: &str) -> Result<Endpoints, String> {
    let config = Config::parse(r#"{"kinds":{"chat":{},"game":{}}}"#).expect("a configuration");
    Endpoints::parse(json, &config).map_err(|error| error.to_string())
}

#[test]
fn r_hook_13_an_endpoint_has_an_id_and_an_address_and_may_narrow_what_it_is_told() {
    let endpoints = parse(
        r#"[{"id":"a","url":"https://hooks.example/in?x=1"},
            {"id":"b","url":"http://10.0.0.1:8080","allow_private":true,"kinds":["game"],"events":["member.joined"],
             "secret":"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]"#,
    )
    .expect("endpoints");
    let of = |kind| endpoints.of_kind(kind).map(|endpoint| endpoint.id.as_str()).collect::<Vec<_>>();
    assert_eq!((of("chat"), of("game")), (vec!["a"], vec!["a", "b"]));
    let narrow = endpoints.get("b").expect("it is there");
    assert!(narrow.events.has(EventKind::MemberJoined) && !narrow.events.has(EventKind::MemberLeft));
    assert_eq!(format!("{:?}", narrow.secret), "Some(Secret)");
}

#[test]
fn r_hook_13_a_mistake_names_its_path_and_quotes_no_secret() {
    let secret = "whsec_c2VjcmV0";
    let rows = [
        (r#"{}"#.into(), ".: expected a sequence"),
        (r#"[{"id":"a"}]"#.into(), "[0]: missing field `url`"),
        (r#"[{"id":"A","url":"https://a.example"}]"#.into(), "[0].id: is 1 to 32 of"),
        (r#"[{"id":"a","url":"http://a.example"}]"#.into(), "[0].url: must be https://"),
        (r#"[{"id":"a","url":"https://localhost"}]"#.into(), "[0].url: is a loopback, private"),
        (
            r#"[{"id":"a","url":"https://a.example","events":["member.jointed"]}]"#.into(),
            "[0].events[0]: \"member",
        ),
        (r#"[{"id":"a","url":"https://a.example","events":[]}]"#.into(), "[0].events: names nothing"),
        (r#"[{"id":"a","url":"https://a.example","kinds":["none"]}]"#.into(), "[0].kinds: no kind is called"),
        (
            format!(r#"[{{"id":"a","url":"https://a.example","secret":"{secret}"}}]"#),
            "[0].secret: is whsec_ and base64",
        ),
        (
            format!(r#"[{{"id":"a","url":"https://a.example","kinds":"{secret}"}}]"#),
            "[0].kinds: expected a sequence",
        ),
        (r#"[{"id":"a","url":"https://a.example","retries":1}]"#.into(), "[0].retries: unknown field"),
        (
            r#"[{"id":"a","url":"https://a.example"},{"id":"a","url":"https://b.example"}]"#.into(),
            "[1].id: stands twice",
        ),
    ];
    for (json, expected) in rows {
        let json: String = json;
        let error = parse(&json).expect_err(expected);
        assert!(error.starts_with(expected), "{json}: {error}");
        assert!(!error.contains("c2VjcmV0"), "{error}");
    }
    let nine: Vec<String> = (0..9).map(|n| format!(r#"{{"id":"e{n}","url":"https://a.example"}}"#)).collect();
    assert!(parse(&format!("[{}]", nine.join(","))).is_err_and(|error| error.contains("more than 8")));
}

const REFUSED: &[(&str, AddressError)] = &[
    ("https://127.0.0.1/", AddressError::Private),
    ("https://127.1.2.3:8443/", AddressError::Private),
    ("https://10.1.2.3", AddressError::Private),
    ("https://172.16.0.1", AddressError::Private),
    ("https://172.31.255.255", AddressError::Private),
    ("https://192.168.1.1", AddressError::Private),
    ("https://169.254.169.254/latest/meta-data", AddressError::Private),
    ("https://100.64.0.1", AddressError::Private),
    ("https://100.127.255.255", AddressError::Private),
    ("https://0.0.0.0", AddressError::Private),
    ("https://192.0.0.8", AddressError::Private),
    ("https://198.18.0.1", AddressError::Private),
    ("https://224.0.0.1", AddressError::Private),
    ("https://255.255.255.255", AddressError::Private),
    ("https://[::1]/", AddressError::Private),
    ("https://[::]/", AddressError::Private),
    ("https://[fe80::1]/", AddressError::Private),
    ("https://[fd00::1]/", AddressError::Private),
    ("https://[fc12:3456::1]/", AddressError::Private),
    ("https://[::ffff:127.0.0.1]/", AddressError::Private),
    ("https://[::ffff:7f00:1]/", AddressError::Private),
    ("https://[64:ff9b::7f00:1]/", AddressError::Private),
    ("https://[2002:7f00:1::]/", AddressError::Private),
    ("https://[2001:db8::1]/", AddressError::Private),
    ("https://localhost", AddressError::Private),
    ("https://LOCALHOST:443", AddressError::Private),
    ("https://localhost.", AddressError::Private),
    ("https://a.localhost", AddressError::Private),
    ("https://metadata.google.internal", AddressError::Private),
    ("https://printer.local", AddressError::Private),
    ("https://router", AddressError::Private),
    ("https://2130706433", AddressError::Host),
    ("https://0x7f000001", AddressError::Host),
    ("https://0x7f.0.0.1", AddressError::Host),
    ("https://127.1", AddressError::Host),
    ("https://0177.0.0.1", AddressError::Host),
    ("https://127.0.0.1.", AddressError::Host),
    ("https://hooks.0x7f", AddressError::Host),
    ("https://%31%32%37.0.0.1", AddressError::Host),
    ("https://-a.example", AddressError::Host),
    ("https://a..example", AddressError::Host),
    ("https://a_b.example", AddressError::Host),
    ("https://[::1", AddressError::Shape),
    ("https://[::1%25lo]/", AddressError::Host),
    ("https://a.example:0", AddressError::Shape),
    ("https://a.example:65536", AddressError::Shape),
    ("https://a.example:+1", AddressError::Shape),
    ("https://u:p@a.example", AddressError::Shape),
    ("https://a.example@127.0.0.1", AddressError::Shape),
    ("https://a.example\\@127.0.0.1", AddressError::Shape),
    ("https://a.example/#x", AddressError::Shape),
    ("https://a.example/ x", AddressError::Shape),
    ("https:///a.example", AddressError::Shape),
    ("https:a.example", AddressError::Shape),
    ("HTTPS://a.example", AddressError::Shape),
    ("ftp://a.example", AddressError::Shape),
    ("https://\u{ff11}27.0.0.1", AddressError::Shape),
    ("http://a.example", AddressError::Plain),
];

#[test]
fn r_hook_12_loopback_private_and_ambiguous_addresses_are_refused() {
    for &(url, error) in REFUSED {
        assert_eq!(check(url, false), Err(error), "{url}");
        let may_be_allowed = matches!(error, AddressError::Private | AddressError::Plain);
        assert_eq!(check(url, true).is_ok(), may_be_allowed, "{url}");
    }
    for url in [
        "https://a.example",
        "https://A.example:8443/x?y=z",
        "https://8.8.8.8",
        "https://[2606:4700::1111]:1/",
        "https://a.example./x",
        "https://xn--bcher-kva.example/",
    ] {
        assert_eq!(check(url, false), Ok(()), "{url}");
    }
}

#[test]
fn r_hook_11_a_signature_is_the_standards_own() {
    let key = SigningKey::parse(&"A".repeat(43)).expect("a seed");
    let signed = signatures(&key, None, "msg_1", 1_700_000_000, "{}");
    // Made with Node's crypto, for the seed of 32 zero bytes.
    assert_eq!(
        signed,
        "v1a,Or+aXfRF1qHcXk3maEyHD6kxI1Yo1+lzf1QGfa0Lu8gzDpGewHELio4PKf40f0I4kK/j4ZPb/Ym0IHBaGNP+Aw=="
    );
    // Made with the npm package standardwebhooks 1.1.1.
    let secret = [
        0x31, 0xf2, 0xae, 0xb0, 0xe4, 0xc1, 0x4a, 0x1c, 0x7f, 0x6c, 0xd8, 0x8f, 0x21, 0x59, 0xc7, 0x1d, 0xe0,
        0xb0, 0xbe, 0xbd, 0xef, 0x5d, 0x5c, 0x9b,
    ];
    let both = signatures(&key, Some(&secret), "msg_1", 1_700_000_000, "{}");
    assert_eq!(both, format!("{signed} v1,3oeIbU9/B8QriNF0lhStFiX3mK+2fhPjjQU0WqsKehc="));
}
