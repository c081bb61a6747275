import { RoomcastError, type ErrorOutcome } from "../errors.js";
import type { Problem } from "../generated/http.js";
import { read } from "./payload.js";

/**
 * What the HTTP API refused, or what kept it from answering.
 *
 * @example
 * ```ts
 * try {
 *   await rooms.room("chat:lobby").publish("message", { text: "hi" });
 * } catch (error) {
 *   if (error instanceof RoomcastHttpError && error.code === "invalid_argument") {
 *     console.error(`${error.path} is wrong (request ${error.requestId})`);
 *   } else throw error;
 * }
 * ```
 */
export class RoomcastHttpError extends RoomcastError {
  /** Of the answer; absent where there was none. */
  readonly status: number | undefined;
  /** What the gateway's log knows the request by. */
  readonly requestId: string | undefined;

  constructor(
    code: string,
    message: string,
    more: ConstructorParameters<typeof RoomcastError>[2] & { status?: number; requestId?: string | undefined } = {},
  ) {
    super(code, message, more);
    this.name = "RoomcastHttpError";
    this.status = more.status;
    this.requestId = more.requestId;
  }

  /** Which field was wrong, where the answer names one. */
  get path(): string | undefined {
    return this.details[0]?.path;
  }
}

/** As for `invalid_argument` of the gateway, found before anything is sent. */
export function invalid(path: string, message: string): RoomcastHttpError {
  return new RoomcastHttpError("invalid_argument", `${path} ${message}`, { details: [{ path, message }] });
}

/** What the same request may overcome. */
const RETRYABLE: ReadonlySet<string> = new Set(["overloaded", "unavailable", "internal"]);

/** A problem as the gateway told it, alone or in a batch. */
export function refused(problem: Partial<Problem>, requestId: string | undefined): RoomcastHttpError {
  const status = problem.status ?? 500;
  const code = problem.code ?? "internal";
  const outcome: ErrorOutcome = status >= 500 && status !== 501 ? "unknown" : "rejected";
  return new RoomcastHttpError(code, problem.title ?? `the gateway answered ${status}`, {
    status,
    requestId,
    outcome,
    retryable: RETRYABLE.has(code),
    retryAfterMs: problem.retry_after_ms,
    ...(problem.details && { details: problem.details }),
    ...("data" in problem && { data: read(problem.data) }),
  });
}
