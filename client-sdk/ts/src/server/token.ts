import type { Capability } from "../generated/http.js";
import { invalid } from "./errors.js";
import { fromBase64, toBase64Url } from "./payload.js";

/** How a token is signed: what stands in the gateway's `ROOMCAST_KEYS`, or the private half of it. */
export type TokenKey =
  | {
      /** Which of the gateway's keys it is. */
      kid: string;
      alg: "HS256" | "HS384" | "HS512";
      /** Base64url, as in `ROOMCAST_KEYS`, or its bytes; 32 at least. */
      secret: string | Uint8Array;
    }
  | {
      kid: string;
      alg: "RS256" | "ES256" | "EdDSA";
      /** PKCS #8 as PEM, a JWK, or a `CryptoKey` that may sign. */
      privateKey: string | JsonWebKey | CryptoKey;
    };

/** What a token says. */
export interface TokenClaims {
  /** The user, 1 to 128 bytes. */
  sub: string;
  /** What the user may do: by exact room name, `chat:*` or `*`; `{sub}` in a pattern stands for the user. */
  rooms: Record<string, readonly (Capability | "*")[]>;
  /** For how long, in seconds; an hour unless given. */
  ttl?: number;
  /** What others see of the user, at most 1 KiB as JSON. */
  info?: unknown;
  /** What every connection carries; at most 8. */
  tags?: readonly string[];
  /** Under which the token can be revoked alone. */
  jti?: string;
  tenant?: string;
  iss?: string;
  aud?: string | readonly string[];
}

const TTL_S = 3_600;
const TOKEN_BYTES_MAX = 8 * 1024;
const INFO_BYTES_MAX = 1024;
const SECRET_BYTES_MIN = 32;
const TAGS_MAX = 8;

const encoder = new TextEncoder();
const bytesOf = (text: string): number => encoder.encode(text).length;

/**
 * Signs a token for a user, here, asking nobody. What the gateway would refuse is refused at once.
 *
 * @throws {RoomcastHttpError} `invalid_argument`, with the path of what is wrong.
 *
 * @example
 * ```ts
 * const token = await createToken({
 *   key: { kid: "app", alg: "HS256", secret: process.env.TOKEN_SECRET! },
 *   sub: "ada",
 *   rooms: { "chat:*": ["join", "publish", "presence", "history"] },
 *   info: { name: "Ada" },
 *   ttl: 600,
 * });
 * ```
 */
export async function createToken({ key, ttl = TTL_S, ...claims }: TokenClaims & { key: TokenKey }): Promise<string> {
  check(claims, ttl);
  const iat = Math.floor(Date.now() / 1000);
  const header = { alg: key.alg, typ: "JWT", kid: key.kid };
  const signed = `${part(header)}.${part({ ...claims, iat, exp: iat + ttl })}`;
  const { imported, algorithm } = await prepared(key);
  const signature = await crypto.subtle.sign(algorithm, imported, encoder.encode(signed));
  const token = `${signed}.${toBase64Url(new Uint8Array(signature))}`;
  if (token.length > TOKEN_BYTES_MAX) throw invalid("rooms", `makes a token of more than ${TOKEN_BYTES_MAX} bytes`);
  return token;
}

function part(value: object): string {
  return toBase64Url(encoder.encode(JSON.stringify(value)));
}

function check({ sub, rooms, info, tags = [] }: TokenClaims, ttl: number): void {
  if (!(bytesOf(sub) >= 1 && bytesOf(sub) <= 128)) throw invalid("sub", "is 1 to 128 bytes");
  if (!(Number.isSafeInteger(ttl) && ttl > 0)) throw invalid("ttl", "is a whole number of seconds above 0");
  for (const [pattern, capabilities] of Object.entries(rooms)) {
    if (!Array.isArray(capabilities)) throw invalid(`rooms.${pattern}`, "is a list of capabilities");
  }
  if (info !== undefined && bytesOf(JSON.stringify(info)) > INFO_BYTES_MAX) {
    throw invalid("info", `is at most ${INFO_BYTES_MAX} bytes`);
  }
  if (tags.length > TAGS_MAX) throw invalid("tags", `are at most ${TAGS_MAX}`);
}

type Prepared = { imported: CryptoKey; algorithm: AlgorithmIdentifier | EcdsaParams };

async function prepared(key: TokenKey): Promise<Prepared> {
  if ("secret" in key) {
    const secret = typeof key.secret === "string" ? secretBytes(key.secret) : Uint8Array.from(key.secret);
    if (secret.length < SECRET_BYTES_MIN) throw invalid("key.secret", `has at least ${SECRET_BYTES_MIN} bytes`);
    const algorithm = { name: "HMAC", hash: `SHA-${key.alg.slice(2)}` };
    return { imported: await crypto.subtle.importKey("raw", secret, algorithm, false, ["sign"]), algorithm };
  }
  const algorithm = {
    RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
    ES256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
    EdDSA: { name: "Ed25519" },
  }[key.alg];
  try {
    return { imported: await privateKey(key.privateKey, algorithm), algorithm };
  } catch (cause) {
    const error = invalid("key.privateKey", `is a key for ${key.alg}: PKCS #8 as PEM, a JWK or a CryptoKey`);
    error.cause = cause;
    throw error;
  }
}

function secretBytes(secret: string): Uint8Array<ArrayBuffer> {
  try {
    return fromBase64(secret);
  } catch {
    throw invalid("key.secret", "is base64url");
  }
}

async function privateKey(key: string | JsonWebKey | CryptoKey, algorithm: { name: string }): Promise<CryptoKey> {
  if (typeof key === "string") {
    const body = /-----BEGIN PRIVATE KEY-----([\s\S]+?)-----END PRIVATE KEY-----/.exec(key)?.[1];
    if (body === undefined) throw new TypeError("no PKCS #8 in PEM");
    return crypto.subtle.importKey("pkcs8", fromBase64(body.replace(/\s/g, "")), algorithm, false, ["sign"]);
  }
  if (!("kty" in key)) return key as CryptoKey;
  // What a JWK says of its use may be narrower than signing, or be said in other words.
  const { key_ops: _, use: __, alg: ___, ...jwk } = key;
  return crypto.subtle.importKey("jwk", jwk, algorithm, false, ["sign"]);
}
