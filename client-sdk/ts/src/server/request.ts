import type { Problem } from "../generated/http.js";
import { RoomcastHttpError, refused } from "./errors.js";

/** What can be given up. */
export interface Signalled {
  /** Aborting it ends the wait, with the signal's own reason; what was sent by then may have had its effect. */
  signal?: AbortSignal | undefined;
}

/** Where the rooms are, and how to get in. */
export interface RoomcastServerOptions {
  /** The deployment's origin: `https://rooms.example`. */
  url: string | URL;
  /** `rk_<id>_<secret>`, from your secrets. */
  apiKey: string;
  /** How often more to try what may be tried again without harm; 3 unless given. */
  retries?: number;
  /** How long to wait for each answer, in milliseconds; 15,000 unless given. */
  timeoutMs?: number;
  /** `globalThis.fetch` unless given. */
  fetch?: typeof fetch;
}

/** One call of the API. */
export interface Call extends Signalled {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** From the origin, encoded. */
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  /** Whether twice is as good as once. */
  repeatable: boolean;
}

const BACKOFF_MS = 200;
const BACKOFF_MS_MAX = 5_000;
/** A longer wait that the gateway asks for is the caller's to decide on. */
const RETRY_AFTER_MS_MAX = 10_000;

/** Asks the HTTP API, again where that does no harm. */
export class Requests {
  readonly #options: RoomcastServerOptions;

  constructor(options: RoomcastServerOptions) {
    this.#options = options;
  }

  async ask<Answer>(call: Call): Promise<Answer> {
    const { retries = 3 } = this.#options;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return (await this.#once(call)) as Answer;
      } catch (error) {
        call.signal?.throwIfAborted();
        if (!(error instanceof RoomcastHttpError) || attempt >= retries || !mayRepeat(call, error)) throw error;
        await pause(error.retryAfterMs ?? backoff(attempt), call.signal);
      }
    }
  }

  async #once({ method, path, query = {}, body, signal }: Call): Promise<unknown> {
    const { apiKey, timeoutMs = 15_000, fetch: ask = globalThis.fetch } = this.#options;
    const address = new URL(path, this.#options.url);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) address.searchParams.set(name, String(value));
    }
    const patience = AbortSignal.timeout(timeoutMs);
    const headers: Record<string, string> = { authorization: `Bearer ${apiKey}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    try {
      const answer = await ask(address, {
        method,
        headers,
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: signal === undefined ? patience : AbortSignal.any([signal, patience]),
        // A redirect is no answer of ours, and would be shown the key.
        redirect: "manual",
      });
      const text = await answer.text();
      if (answer.ok) return text === "" ? {} : (JSON.parse(text) as unknown);
      throw refused(problem(text, answer), answer.headers.get("x-request-id") ?? undefined);
    } catch (error) {
      if (error instanceof RoomcastHttpError) throw error;
      const message = patience.aborted ? `no answer within ${timeoutMs} ms` : "the gateway did not answer";
      throw new RoomcastHttpError("unavailable", message, { retryable: true, outcome: "unknown", cause: error });
    }
  }
}

/** What a proxy in between says is no problem in our sense, but has a status. */
function problem(text: string, answer: Response): Partial<Problem> {
  let told: Partial<Problem> = {};
  try {
    told = JSON.parse(text) as Partial<Problem>;
  } catch {
    // The status says enough.
  }
  const seconds = Number(answer.headers.get("retry-after") ?? Number.NaN);
  const { retry_after_ms = Number.isFinite(seconds) ? seconds * 1000 : undefined } = told;
  const code = told.code ?? (answer.status >= 500 && answer.status !== 501 ? "unavailable" : "bad_request");
  return { ...told, code, status: answer.status, ...(retry_after_ms !== undefined && { retry_after_ms }) };
}

/** After silence, and where the gateway, or what stands before it, says that it cannot just now. */
function mayRepeat({ repeatable }: Call, { status, retryAfterMs = 0 }: RoomcastHttpError): boolean {
  const wentMissing = status === undefined || (status >= 502 && status <= 504);
  return repeatable && wentMissing && retryAfterMs <= RETRY_AFTER_MS_MAX;
}

/** Full jitter. */
function backoff(attempt: number): number {
  return Math.random() * Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** attempt);
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", abort, { once: true });
  });
}
