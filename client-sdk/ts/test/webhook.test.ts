import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { verifyWebhook, type WebhookOptions } from "@roomcast/client/server";
import { Webhook } from "standardwebhooks";

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const room = { tenant: "default", room: "chat:lobby", kind: "chat", epoch: "00000000000000ab" };
const joined = { id: "e1", type: "member.joined", time: 5, ...room, data: { user: "ada", session: "s", info: { $bin: "AQI=" } } };
const said = { id: "e2", type: "message.published", time: 6, ...room, data: { offset: 1, time: 6, type: "message", data: { $bin: "AQI=" } } };
const body = JSON.stringify({ events: [joined, said] });
const realFetch = globalThis.fetch;

afterEach(() => {
  globalThis.fetch = realFetch;
});

type Headers = Record<string, string>;

async function keyPair(): Promise<{ sign(text: string): Promise<string>; jwk: JsonWebKey; x: string }> {
  const pair = (await crypto.subtle.generateKey({ name: "Ed25519" }, true, ["sign", "verify"])) as CryptoKeyPair;
  const jwk = { ...(await crypto.subtle.exportKey("jwk", pair.publicKey)), kid: "1", alg: "EdDSA", use: "sig" };
  const sign = async (text: string): Promise<string> => {
    const signature = await crypto.subtle.sign({ name: "Ed25519" }, pair.privateKey, new TextEncoder().encode(text));
    return `v1a,${btoa(String.fromCharCode(...new Uint8Array(signature)))}`;
  };
  return { sign, jwk, x: jwk.x ?? "" };
}

async function headers(sign: (text: string) => string | Promise<string>, ageS = 0): Promise<Headers> {
  const timestamp = String(Math.floor(Date.now() / 1000) - ageS);
  const signature = await sign(`m1.${timestamp}.${body}`);
  return { "webhook-id": "m1", "webhook-timestamp": timestamp, "webhook-signature": signature };
}

/** As the standard's own library signs. */
async function shared(): Promise<Headers> {
  const now = new Date();
  const given = await headers(() => new Webhook(secret).sign("m1", now, body));
  return { ...given, "webhook-timestamp": String(Math.floor(now.getTime() / 1000)) };
}

const refused = (given: Headers, options: WebhookOptions, text = body): Promise<void> =>
  assert.rejects(verifyWebhook(text, given, options), { code: "unauthorized" });

test("R-SRV-4: a request is verified by the shared secret, as the standard's library signs", async () => {
  const { id, events } = await verifyWebhook(body, await shared(), { secret });
  assert.equal(id, "m1");
  const [first, second] = events;
  assert(first?.type === "member.joined" && second?.type === "message.published");
  assert.deepEqual(first.data.info, new Uint8Array([1, 2]));
  assert.deepEqual(second.data.data, new Uint8Array([1, 2]));
  await verifyWebhook(new TextEncoder().encode(body), new Headers(await shared()), { secret });
});

test("R-SRV-4: a request is verified by the gateway's key, given or published", async () => {
  const { sign, jwk, x } = await keyPair();
  const other = await keyPair();
  const given = await headers(sign);
  for (const options of [{ publicKey: x }, { publicKey: jwk }, { jwks: { keys: [{ kty: "RSA" }, other.jwk, jwk] } }]) {
    assert.equal((await verifyWebhook(body, given, options)).events.length, 2);
  }
  await refused(given, { publicKey: other.x });
  // During a change of keys there are signatures of both.
  const both = { ...given, "webhook-signature": `v1a,nonsense v1,AAAA ${await other.sign("x")} ${given["webhook-signature"]}` };
  await verifyWebhook(body, both, { publicKey: x });
});

test("R-SRV-4: what was changed, is old, or is signed by another scheme is refused", async () => {
  const { sign, x } = await keyPair();
  const given = await headers(sign);
  await refused(given, { publicKey: x }, body.replace("ada", "eve"));
  await refused({ ...given, "webhook-id": "m2" }, { publicKey: x });
  await refused(await headers(sign, 301), { publicKey: x });
  await refused(await headers(sign, -310), { publicKey: x });
  await verifyWebhook(body, await headers(sign, 301), { publicKey: x, toleranceS: 600 });
  await refused({ ...given, "webhook-timestamp": "" }, { publicKey: x });
  await refused({ ...given, "webhook-signature": String(given["webhook-signature"]).replace("v1a,", "v1,") }, { publicKey: x });
  await refused(given, { secret });
  const { "webhook-signature": _, ...unsigned } = given;
  await refused(unsigned, { publicKey: x });
  await assert.rejects(verifyWebhook(body, given, {}), { code: "invalid_argument" });
  await assert.rejects(verifyWebhook(body, given, { publicKey: "no key" }), { code: "invalid_argument", path: "publicKey" });
});

test("R-SRV-4: published keys are fetched once, and again when none fits, once a minute at most", async () => {
  const [old, next] = [await keyPair(), await keyPair()];
  let keys = [old.jwk];
  let fetched = 0;
  globalThis.fetch = (async () => ((fetched += 1), new Response(JSON.stringify({ keys })))) as typeof fetch;
  const realNow = Date.now;
  let skipped = 0;
  Date.now = () => realNow() + skipped;
  try {
    const options = { jwks: "https://rooms.example/.well-known/jwks.json" };
    await verifyWebhook(body, await headers(old.sign), options);
    await verifyWebhook(body, await headers(old.sign), options);
    assert.equal(fetched, 1);
    keys = [next.jwk];
    await refused(await headers(next.sign), options);
    assert.equal(fetched, 1);
    skipped = 61_000;
    await verifyWebhook(body, await headers(next.sign), options);
    assert.equal(fetched, 2);
    skipped += 61_000;
    globalThis.fetch = (async () => new Response("", { status: 500 })) as typeof fetch;
    await refused(await headers(old.sign), options);
    await verifyWebhook(body, await headers(next.sign), options);
    const elsewhere = { jwks: "https://other.example/jwks.json" };
    await assert.rejects(verifyWebhook(body, await headers(old.sign), elsewhere), { code: "unavailable", retryable: true });
  } finally {
    Date.now = realNow;
  }
});
