import type { Problem } from "../generated/http.js";
import { RoomcastHttpError, refused } from "./errors.js";
import { read } from "./payload.js";

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

/** A deployment, or one of its rooms, which asks for no key. */
export type Reached = Omit<RoomcastServerOptions, "apiKey"> & { apiKey?: string };

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
  readonly #options: Reached;

  constructor(options: Reached) {
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

  /** What comes line by line, never asked for twice, and what it ends with. */
  async *lines(call: Call): AsyncGenerator<unknown, unknown, void> {
    const stop = new AbortController();
    const abort = (): void => stop.abort(call.signal?.reason);
    call.signal?.throwIfAborted();
    call.signal?.addEventListener("abort", abort);
    try {
      const { timeoutMs = 15_000 } = this.#options;
      const patience = setTimeout(() => stop.abort(), timeoutMs);
      const answer = await this.#sent(call, stop.signal).finally(() => clearTimeout(patience));
      return yield* returned(answer);
    } catch (error) {
      call.signal?.throwIfAborted();
      if (error instanceof RoomcastHttpError) throw error;
      throw new RoomcastHttpError("unavailable", "the answer was cut off", {
        retryable: true,
        outcome: "unknown",
        cause: error,
      });
    } finally {
      call.signal?.removeEventListener("abort", abort);
      stop.abort();
    }
  }

  async #once(call: Call): Promise<unknown> {
    const { timeoutMs = 15_000 } = this.#options;
    const patience = AbortSignal.timeout(timeoutMs);
    const { signal } = call;
    try {
      const answer = await this.#sent(call, signal === undefined ? patience : AbortSignal.any([signal, patience]));
      if (isStreamed(answer)) return await last(returned(answer));
      const text = await answer.text();
      return text === "" ? {} : (JSON.parse(text) as unknown);
    } catch (error) {
      if (error instanceof RoomcastHttpError) throw error;
      if (isOverloaded(error)) throw new RoomcastHttpError("overloaded", error.message, { retryable: true, cause: error });
      const message = patience.aborted ? `no answer within ${timeoutMs} ms` : "the gateway did not answer";
      throw new RoomcastHttpError("unavailable", message, { retryable: true, outcome: "unknown", cause: error });
    }
  }

  /** Its answer, if it is a good one. */
  async #sent({ method, path, query = {}, body }: Call, signal: AbortSignal): Promise<Response> {
    const { apiKey, fetch: ask = globalThis.fetch } = this.#options;
    const address = new URL(path, this.#options.url);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) address.searchParams.set(name, String(value));
    }
    const headers: Record<string, string> = {};
    if (apiKey !== undefined) headers["authorization"] = `Bearer ${apiKey}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    const answer = await ask(address, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal,
      // A redirect is no answer of ours, and would be shown the key.
      redirect: "manual",
    });
    if (answer.ok) return answer;
    throw refused(problem(await answer.text(), answer), requestId(answer));
  }
}

/** As the platform says it of an object that has too much to do: what was asked of it did not run. */
function isOverloaded(error: unknown): error is Error {
  return error instanceof Error && (error as { overloaded?: unknown }).overloaded === true;
}

function requestId(answer: Response): string | undefined {
  return answer.headers.get("x-request-id") ?? undefined;
}

function isStreamed(answer: Response): boolean {
  return answer.headers.get("content-type") === "application/x-ndjson";
}

/** What a method streams, and what it returns at last: null where it streamed. */
async function* returned(answer: Response): AsyncGenerator<unknown, unknown, void> {
  if (!isStreamed(answer) || answer.body === null) return read(await answer.json());
  let rest = "";
  const decoder = new TextDecoder();
  const reader = answer.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const lines = (rest + decoder.decode(value, { stream: !done })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const told = JSON.parse(line) as { result?: unknown; more?: boolean; error?: Problem };
        if (told.error) throw refused(told.error, requestId(answer));
        if (told.more !== true) return read(told.result);
        yield read(told.result);
      }
      if (done) throw new Error("the last line is missing");
    }
  } finally {
    // Whoever reads on is told nothing more.
    await reader.cancel().catch(() => undefined);
  }
}

async function last(stream: AsyncGenerator<unknown, unknown, void>): Promise<unknown> {
  for (;;) {
    const { done, value } = await stream.next();
    if (done === true) return value;
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
