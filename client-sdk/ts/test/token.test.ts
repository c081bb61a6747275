import assert from "node:assert/strict";
import { test } from "node:test";
import { createToken, type TokenKey } from "@roomcast/client/server";
import { importJWK, jwtVerify } from "jose";

const secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo";
const claims = { sub: "ada", rooms: { "chat:*": ["join", "publish"] as const } };

async function pair(algorithm: object): Promise<CryptoKeyPair> {
  return (await crypto.subtle.generateKey(algorithm as EcKeyGenParams, true, ["sign", "verify"])) as CryptoKeyPair;
}

function pem(pkcs8: ArrayBuffer): string {
  const body = btoa(String.fromCharCode(...new Uint8Array(pkcs8))).replace(/.{64}/g, "$&\n");
  return `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`;
}

test("R-SRV-3: tokens signed by a shared secret are what an independent library reads", async () => {
  for (const alg of ["HS256", "HS384", "HS512"] as const) {
    const key = { kid: "app", alg, secret };
    const token = await createToken({ key, ...claims, ttl: 60, info: { name: "Ada ☕" }, tags: ["red"], jti: "t1" });
    const bytes = Uint8Array.from(atob(secret.replace(/-/g, "+").replace(/_/g, "/")), (byte) => byte.charCodeAt(0));
    const { payload, protectedHeader } = await jwtVerify(token, bytes);
    assert.deepEqual(protectedHeader, { alg, typ: "JWT", kid: "app" });
    const { iat = 0, exp, ...rest } = payload;
    assert.equal(exp, iat + 60);
    assert.deepEqual(rest, { ...claims, info: { name: "Ada ☕" }, tags: ["red"], jti: "t1" });
  }
});

test("R-SRV-3: private keys come as PEM, as a JWK, or as a CryptoKey", async () => {
  const algorithms = {
    ES256: { name: "ECDSA", namedCurve: "P-256" },
    EdDSA: { name: "Ed25519" },
    RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
  };
  for (const [name, algorithm] of Object.entries(algorithms)) {
    const alg = name as keyof typeof algorithms;
    const { privateKey, publicKey } = await pair(algorithm);
    const forms: (string | JsonWebKey | CryptoKey)[] = [
      pem(await crypto.subtle.exportKey("pkcs8", privateKey)),
      await crypto.subtle.exportKey("jwk", privateKey),
      privateKey,
    ];
    const verifying = await importJWK({ ...(await crypto.subtle.exportKey("jwk", publicKey)), alg });
    for (const form of forms) {
      const token = await createToken({ key: { kid: "k", alg, privateKey: form }, ...claims });
      assert.equal((await jwtVerify(token, verifying)).payload.sub, "ada");
    }
  }
});

test("R-SRV-3: what the gateway would refuse is refused at once, with its path", async () => {
  const key: TokenKey = { kid: "app", alg: "HS256", secret };
  const refused = (more: object, path: string): Promise<void> =>
    assert.rejects(createToken({ key, ...claims, ...more }), { code: "invalid_argument", path });
  await refused({ sub: "" }, "sub");
  await refused({ sub: "é".repeat(65) }, "sub");
  await refused({ ttl: 0.5 }, "ttl");
  await refused({ info: "x".repeat(1025) }, "info");
  await refused({ tags: Array.from({ length: 9 }, String) }, "tags");
  await refused({ rooms: { "chat:*": "join" } }, "rooms.chat:*");
  await refused({ rooms: Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`chat:room-${i}`, ["join"]])) }, "rooms");
  await refused({ key: { ...key, secret: "c2hvcnQ" } }, "key.secret");
  await refused({ key: { ...key, secret: "?" } }, "key.secret");
  await refused({ key: { kid: "k", alg: "ES256", privateKey: "no PEM" } }, "key.privateKey");
});
