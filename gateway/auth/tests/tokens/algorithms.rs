//! Each algorithm under its key, and under every other key.

use auth::{Flaw, Refusal, verify};
use schemas::Tenant;
use serde_json::{Value, json};

use crate::{
    rfc7515::{P256_PEM, RSA_PEM, p256_jwk, rsa_jwk},
    support::{NOW_MS, Signer, base64url, claims, ed_config, ed_key, keys, keys_of, token, with},
};

const SECRET_32: &[u8; 32] = b"a secret of thirty-two bytes ...";
const SECRET_48: &[u8; 48] = b"a secret of forty-eight bytes ..................";
const SECRET_64: &[u8; 64] = b"a secret of sixty-four bytes ...................................";

/// Name, configuration and signer of each.
fn all() -> [(&'static str, Value, Signer<'static>); 6] {
    let secret = |alg: &str, secret: &[u8]| json!({ "kid": alg, "alg": alg, "secret": base64url(secret) });
    [
        ("HS256", secret("HS256", SECRET_32), Signer::Hs256(SECRET_32)),
        ("HS384", secret("HS384", SECRET_48), Signer::Hs384(SECRET_48)),
        ("HS512", secret("HS512", SECRET_64), Signer::Hs512(SECRET_64)),
        ("RS256", json!({ "kid": "RS256", "alg": "RS256", "public_key": RSA_PEM }), Signer::Rs256),
        ("ES256", json!({ "kid": "ES256", "alg": "ES256", "public_key": P256_PEM }), Signer::Es256),
        ("EdDSA", with(ed_config(), &json!({ "kid": "EdDSA" })), Signer::Ed),
    ]
}

fn opens(config: &Value, token: &str) -> Result<String, Refusal> {
    verify(token, &keys_of(&json!([config])), NOW_MS).map(|token| token.user.to_string())
}

#[test]
fn r_auth_1_a_key_verifies_its_own_algorithm_and_no_other() {
    for (name, config, _) in all() {
        for (other, _, signer) in all() {
            let token = signer.sign(&json!({ "alg": other, "kid": name }), &claims());
            let expected = if name == other { Ok("ann".into()) } else { Err(Flaw::Algorithm.into()) };
            assert_eq!(opens(&config, &token), expected, "{other} under {name}");
            let pretends = signer.sign(&json!({ "alg": name, "kid": name }), &claims());
            let expected = if name == other { Ok("ann".into()) } else { Err(Flaw::Signature.into()) };
            assert_eq!(opens(&config, &pretends), expected, "{other} signs as {name}");
        }
    }
}

#[test]
fn r_auth_1_all_algorithms_stand_side_by_side_with_and_without_kid() {
    let keys = keys_of(&all().into_iter().map(|(_, config, _)| config).collect());
    for (name, _, signer) in all() {
        for header in [json!({ "alg": name, "kid": name }), json!({ "alg": name })] {
            assert!(verify(&signer.sign(&header, &claims()), &keys, NOW_MS).is_ok(), "{header}");
        }
    }
}

/// The classic: whoever verifies takes the public key, in one of its spellings, for an HMAC secret.
#[test]
fn r_auth_1_a_public_key_is_no_secret() {
    let raw = ed_key().verifying_key().to_bytes();
    let rows: [(&str, &[u8]); 6] = [
        ("RS256", RSA_PEM.as_bytes()),
        ("RS256", RSA_PEM.trim_end().as_bytes()),
        ("ES256", P256_PEM.as_bytes()),
        ("ES256", P256_PEM.trim_end().as_bytes()),
        ("EdDSA", &raw),
        ("EdDSA", base64url(raw).leak().as_bytes()),
    ];
    let configs = all();
    for (kid, public) in rows {
        let (_, config, _) = configs.iter().find(|(name, ..)| *name == kid).expect("a key");
        for (alg, signer) in [
            ("HS256", Signer::Hs256(public)),
            ("HS384", Signer::Hs384(public)),
            ("HS512", Signer::Hs512(public)),
        ] {
            let named = signer.sign(&json!({ "alg": alg, "kid": kid }), &claims());
            assert_eq!(opens(config, &named), Err(Flaw::Algorithm.into()), "{alg} under {kid}");
            let nameless = signer.sign(&json!({ "alg": alg }), &claims());
            assert_eq!(opens(config, &nameless), Err(Flaw::NoKey.into()), "{alg} without kid");
        }
    }
}

#[test]
fn r_auth_1_a_signature_has_one_shape() {
    let (_, ec, _) = &all()[4];
    let header = json!({ "alg": "ES256", "kid": "ES256" });
    let good = Signer::Es256.sign(&header, &claims());
    assert!(opens(ec, &good).is_ok());
    let (signed, _) = good.rsplit_once('.').expect("a token");
    let half = [7; 32];
    let zero_r = [[0; 32], half].concat();
    let zero_s = [half, [0; 32]].concat();
    let rows = [
        ("DER", Signer::Es256Der.sign(&header, &claims())),
        ("63 bytes", format!("{signed}.{}", base64url([7; 63]))),
        ("65 bytes", format!("{signed}.{}", base64url([7; 65]))),
        ("zeros", format!("{signed}.{}", base64url([0; 64]))),
        ("r of zero", format!("{signed}.{}", base64url(zero_r))),
        ("s of zero", format!("{signed}.{}", base64url(zero_s))),
        ("above the order", format!("{signed}.{}", base64url([0xff; 64]))),
        ("none", format!("{signed}.")),
    ];
    for (name, token) in rows {
        assert_eq!(opens(ec, &token), Err(Flaw::Signature.into()), "{name}");
    }

    let (_, rsa, _) = &all()[3];
    let good = Signer::Rs256.sign(&json!({ "alg": "RS256", "kid": "RS256" }), &claims());
    assert!(opens(rsa, &good).is_ok());
    let (signed, _) = good.rsplit_once('.').expect("a token");
    for bytes in [vec![], vec![0; 256], vec![0xff; 256], vec![1; 255], vec![1; 257], vec![0; 4096]] {
        let token = format!("{signed}.{}", base64url(&bytes));
        assert_eq!(opens(rsa, &token), Err(Flaw::Signature.into()), "{} bytes", bytes.len());
    }
}

#[test]
fn r_conf_2_public_keys_are_pem_or_jwk() {
    let rows = [
        json!({ "kid": "k", "alg": "RS256", "jwk": rsa_jwk() }),
        json!({ "kid": "k", "jwk": rsa_jwk() }),
        json!({ "jwk": with(rsa_jwk(), &json!({ "kid": "k", "alg": "RS256", "use": "sig", "x5c": ["ignored"] })) }),
        json!({ "jwk": with(rsa_jwk(), &json!({ "kid": "k", "key_ops": ["verify"] })) }),
        json!({ "kid": "k", "alg": "RS256", "public_key": format!("\n{RSA_PEM}\n") }),
    ];
    let token = Signer::Rs256.sign(&json!({ "alg": "RS256", "kid": "k" }), &claims());
    for config in rows {
        assert!(opens(&config, &token).is_ok(), "{config}");
    }
    let token = Signer::Es256.sign(&json!({ "alg": "ES256", "kid": "k" }), &claims());
    for config in [
        json!({ "kid": "k", "jwk": p256_jwk() }),
        json!({ "kid": "k", "alg": "ES256", "public_key": P256_PEM }),
    ] {
        assert!(opens(&config, &token).is_ok(), "{config}");
    }
    let x = base64url(ed_key().verifying_key().as_bytes());
    let spki = [
        &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00],
        &ed_key().verifying_key().to_bytes()[..],
    ];
    let pem = {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(spki.concat()))
    };
    let token = Signer::Ed.sign(&json!({ "alg": "EdDSA", "kid": "k" }), &claims());
    for config in [
        json!({ "kid": "k", "jwk": { "kty": "OKP", "crv": "Ed25519", "x": x } }),
        json!({ "kid": "k", "alg": "EdDSA", "public_key": x }),
        json!({ "kid": "k", "alg": "EdDSA", "public_key": pem }),
    ] {
        assert!(opens(&config, &token).is_ok(), "{config}");
    }
}

#[test]
fn r_auth_1_a_kid_may_stand_under_several_issuers() {
    let of = |iss: &str, secret: &[u8]| json!({ "kid": "1", "alg": "HS256", "secret": base64url(secret), "iss": iss, "tenant": iss });
    let (a, b, any) = ([1; 32], [2; 32], [3; 32]);
    let keys = keys_of(&json!([
        { "kid": "1", "alg": "HS256", "secret": base64url(any) },
        of("a", &a),
        of("b", &b),
    ]));
    let tenant = |secret: &[u8], claimed: Value| {
        let token =
            Signer::Hs256(secret).sign(&json!({ "alg": "HS256", "kid": "1" }), &with(claims(), &claimed));
        verify(&token, &keys, NOW_MS).map(|token| token.tenant.to_string())
    };
    assert_eq!(tenant(&a, json!({ "iss": "a" })), Ok("a".into()));
    assert_eq!(tenant(&b, json!({ "iss": "b" })), Ok("b".into()));
    assert_eq!(tenant(&any, json!({ "iss": "c" })), Ok("default".into()));
    assert_eq!(tenant(&any, json!({})), Ok("default".into()));
    let forged = Err(Flaw::Signature.into());
    assert_eq!(tenant(&b, json!({ "iss": "a" })), forged, "another issuer's key");
    assert_eq!(tenant(&any, json!({ "iss": "a" })), forged, "the key of any is not that of a");
    assert_eq!(tenant(&a, json!({})), forged);
    assert_eq!(tenant(&a, json!({ "iss": ["a"] })), forged, "an issuer is a text");
}

#[test]
fn r_addr_4_a_token_that_names_no_tenant_takes_the_hosts() {
    let acme = Tenant::parse("acme").expect("a tenant");
    let at_acme = |claims: &Value| {
        let token = verify(&token(claims), &keys(), NOW_MS).expect("a token");
        token.of_tenant(&acme).map(|token| token.tenant.to_string())
    };
    assert_eq!(at_acme(&claims()), Ok("acme".into()));
    assert_eq!(at_acme(&with(claims(), &json!({ "tenant": "acme" }))), Ok("acme".into()));
    for other in ["default", "other"] {
        let refusal = at_acme(&with(claims(), &json!({ "tenant": other }))).expect_err(other);
        assert_eq!(refusal.code(), "forbidden", "{other}");
    }
}
