import type { LoggedPublication } from "../events.js";
import type { WebhookEventType } from "../generated/http.js";
import type { LeaveReason, Publication } from "../generated/wire.js";
import { RoomcastError } from "../errors.js";
import { invalid } from "./errors.js";
import { fromBase64, readIn } from "./payload.js";

interface EventFields<Type extends WebhookEventType, Data> {
  /** The same each time this event is sent: what was taken once can be told by it. */
  readonly id: string;
  readonly type: Type;
  /** When it happened, in milliseconds since 1970. */
  readonly time: number;
  readonly tenant: string;
  readonly room: string;
  /** The room's kind. */
  readonly kind: string;
  readonly epoch: string;
  readonly data: Data;
}

/** What happened in a room; `type` tells which. */
export type WebhookEvent =
  | EventFields<"room.occupied" | "room.vacated" | "room.expired" | "room.deleted", Record<string, never>>
  | EventFields<"member.joined", { user: string; session: string; info?: unknown }>
  | EventFields<"member.left", { user: string; session: string; reason: LeaveReason | "room_deleted" }>
  | EventFields<"message.published", Publication | LoggedPublication>
  | EventFields<"webhook.dropped", { count: number }>;

/** A verified request. */
export interface WebhookBatch {
  /** `webhook-id`: the same each time this batch is sent. */
  readonly id: string;
  /** When it was sent, in seconds since 1970. */
  readonly timestamp: number;
  /** In the room's order, 1 to 100. Each may come again: heed its `id`. */
  readonly events: readonly WebhookEvent[];
}

/** Whose signature counts. One of the first three is needed; where there are two, either will do. */
export interface WebhookOptions {
  /**
   * Where the gateway publishes its keys: `https://rooms.example/.well-known/jwks.json`, which is fetched once, and
   * again when no key fits, once a minute at most. Or those keys.
   */
  jwks?: string | URL | { keys: readonly JsonWebKey[] };
  /** The gateway's Ed25519 key: base64url of its 32 bytes (`x` in the JWKS), or a JWK. */
  publicKey?: string | JsonWebKey;
  /** The endpoint's own secret, `whsec_…`. */
  secret?: string;
  /** How far `webhook-timestamp` may be from this clock, in seconds; 300 unless given. */
  toleranceS?: number;
}

/** As Fetch has them, or as Node's `request.headers`. */
export type WebhookHeaders = Headers | Record<string, string | string[] | undefined>;

const TOLERANCE_S = 300;
const SIGNATURE_BYTES = { "v1,": 32, "v1a,": 64 };
const encoder = new TextEncoder();

/**
 * Verifies a webhook by the Standard Webhooks scheme (`v1a` with the gateway's key, `v1` with a shared secret), and
 * reads it. Give the body as it came: a JSON text made of it anew is another one.
 *
 * @throws {RoomcastError} `unauthorized` where it is not the gateway's, or too old; `unavailable` where the keys
 * cannot be fetched.
 *
 * @example
 * ```ts
 * export default {
 *   async fetch(request: Request): Promise<Response> {
 *     const { events } = await verifyWebhook(await request.text(), request.headers, {
 *       jwks: "https://rooms.example/.well-known/jwks.json",
 *     });
 *     for (const event of events) if (event.type === "member.joined") console.log(event.data.user, "came");
 *     return new Response(null, { status: 204 });
 *   },
 * };
 * ```
 */
export async function verifyWebhook(
  body: string | Uint8Array,
  headers: WebhookHeaders,
  options: WebhookOptions,
): Promise<WebhookBatch> {
  const { jwks, publicKey, secret, toleranceS = TOLERANCE_S } = options;
  if (jwks === undefined && publicKey === undefined && secret === undefined) {
    throw invalid("options", "name `jwks`, `publicKey` or `secret`");
  }
  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  const signatures = header(headers, "webhook-signature").split(" ");
  const age = Math.abs(Date.now() / 1000 - (/^\d+$/.test(timestamp) ? Number(timestamp) : Number.NaN));
  if (!(age <= toleranceS)) throw untrusted("webhook-timestamp is too old, or from the future");

  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  const head = encoder.encode(`${id}.${timestamp}.`);
  const content = typeof body === "string" ? encoder.encode(body) : body;
  const signed = new Uint8Array(head.length + content.length);
  signed.set(head);
  signed.set(content, head.length);

  const of = (scheme: keyof typeof SIGNATURE_BYTES): Uint8Array<ArrayBuffer>[] => signaturesOf(signatures, scheme);
  const valid =
    (secret !== undefined && (await signedBySecret(secret, of("v1,"), signed))) ||
    ((publicKey !== undefined || jwks !== undefined) && (await signedByKey(options, of("v1a,"), signed)));
  if (!valid) throw untrusted("no signature in webhook-signature is the gateway's");
  return { id, timestamp: Number(timestamp), events: eventsOf(text) };
}

function eventsOf(text: string): WebhookEvent[] {
  const { events } = JSON.parse(text) as { events: WebhookEvent[] };
  return events.map((event) => {
    if (event.type === "message.published") {
      const data = readIn(event.data, "data");
      return { ...event, data: data.from ? { ...data, from: readIn(data.from, "info") } : data };
    }
    return event.type === "member.joined" ? { ...event, data: readIn(event.data, "info") } : event;
  });
}

function header(headers: WebhookHeaders, name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : headers[name];
  if (typeof value !== "string") throw untrusted(`${name} is missing`);
  return value;
}

function untrusted(message: string): RoomcastError {
  return new RoomcastError("unauthorized", message);
}

function signaturesOf(signatures: string[], scheme: keyof typeof SIGNATURE_BYTES): Uint8Array<ArrayBuffer>[] {
  return signatures.flatMap((signature) => {
    if (!signature.startsWith(scheme)) return [];
    try {
      const bytes = fromBase64(signature.slice(scheme.length));
      // workerd throws at an Ed25519 signature of another length (1.20261117.1).
      return bytes.length === SIGNATURE_BYTES[scheme] ? [bytes] : [];
    } catch {
      return [];
    }
  });
}

async function signedBySecret(
  secret: string,
  signatures: Uint8Array<ArrayBuffer>[],
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = fromBase64(secret.replace(/^whsec_/, ""));
  } catch {
    throw invalid("secret", "is whsec_ and base64");
  }
  const key = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  return some(signatures, (signature) => crypto.subtle.verify("HMAC", key, signature, signed));
}

async function signedByKey(
  { jwks, publicKey }: WebhookOptions,
  signatures: Uint8Array<ArrayBuffer>[],
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  if (signatures.length === 0) return false;
  const fits = (keys: readonly CryptoKey[]): Promise<boolean> =>
    some(signatures, (signature) =>
      some(keys, (key) => crypto.subtle.verify({ name: "Ed25519" }, key, signature, signed)),
    );
  if (publicKey !== undefined && (await fits([await givenKey(publicKey)]))) return true;
  if (jwks === undefined) return false;
  if (!(typeof jwks === "string" || jwks instanceof URL)) return fits(await keysOf(jwks.keys));
  const published = PublishedKeys.at(String(jwks));
  if (await fits(await published.known())) return true;
  const newer = await published.newer();
  return newer !== undefined && fits(newer);
}

async function some<Item>(items: readonly Item[], holds: (item: Item) => Promise<boolean>): Promise<boolean> {
  for (const item of items) if (await holds(item)) return true;
  return false;
}

async function givenKey(key: string | JsonWebKey): Promise<CryptoKey> {
  try {
    return await imported(typeof key === "string" ? { kty: "OKP", crv: "Ed25519", x: key } : key);
  } catch {
    throw invalid("publicKey", "is base64url of an Ed25519 key's 32 bytes, or its JWK");
  }
}

function imported({ kty = "OKP", crv = "Ed25519", x = "" }: JsonWebKey): Promise<CryptoKey> {
  return crypto.subtle.importKey("jwk", { kty, crv, x }, { name: "Ed25519" }, false, ["verify"]);
}

/** A set may hold keys for other things. */
function keysOf(keys: readonly JsonWebKey[]): Promise<CryptoKey[]> {
  return Promise.all(keys.filter(({ kty, crv }) => kty === "OKP" && crv === "Ed25519").map(imported));
}

/** A gateway's keys, fetched when first needed and when none fits. */
class PublishedKeys {
  static readonly #ADDRESSES_MAX = 16;
  static readonly #REFETCH_MS_MIN = 60_000;
  static readonly #byAddress = new Map<string, PublishedKeys>();

  readonly #address: string;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #keys: Promise<readonly CryptoKey[]> | undefined;

  private constructor(address: string) {
    this.#address = address;
  }

  static at(address: string): PublishedKeys {
    const known = PublishedKeys.#byAddress;
    const keys = known.get(address) ?? new PublishedKeys(address);
    known.delete(address);
    known.set(address, keys);
    const [oldest] = known.keys();
    if (known.size > PublishedKeys.#ADDRESSES_MAX && oldest !== undefined) known.delete(oldest);
    return keys;
  }

  known(): Promise<readonly CryptoKey[]> {
    return this.#keys ?? this.#fetch();
  }

  /** Those that a new look finds, where it is time for one. */
  async newer(): Promise<readonly CryptoKey[] | undefined> {
    if (Date.now() - this.#lookedAt < PublishedKeys.#REFETCH_MS_MIN) return undefined;
    return this.#fetch();
  }

  /** The last good ones stay while the gateway is out of reach. */
  #fetch(): Promise<readonly CryptoKey[]> {
    const before = this.#keys;
    this.#lookedAt = Date.now();
    const fetched = this.#ask();
    this.#keys = fetched.catch((cause: unknown) => {
      this.#keys = before;
      if (before !== undefined) return before;
      const message = "the gateway's keys could not be fetched";
      throw new RoomcastError("unavailable", message, { retryable: true, cause });
    });
    return this.#keys;
  }

  async #ask(): Promise<readonly CryptoKey[]> {
    const answer = await fetch(this.#address, { signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new TypeError(`the gateway answered ${answer.status}`);
    const { keys } = (await answer.json()) as { keys: JsonWebKey[] };
    return keysOf(keys);
  }
}
