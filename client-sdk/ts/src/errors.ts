import type { Refusal } from "./block.js";
import type { Detail, ErrorCode } from "./generated/wire.js";

/**
 * What a {@link RoomcastError} is about: a request's code (`forbidden`, `too_large`, `rate_limited`, …), or the
 * reason of a final close (`blocked_or_kicked`, `room_deleted`, `session_replaced`, …).
 */
export type RoomcastErrorCode = ErrorCode | (string & {});

/** `rejected`: it had no effect. `unknown`: it was sent, and nobody can say whether it had one. */
export type ErrorOutcome = "rejected" | "unknown";

/**
 * Everything that this package rejects with, but for an `AbortSignal`'s own reason.
 *
 * @example
 * ```ts
 * try {
 *   await room.publish("message", { text });
 * } catch (error) {
 *   if (error instanceof RoomcastError && error.retryable) offerToRetry();
 *   else throw error;
 * }
 * ```
 */
export class RoomcastError extends Error {
  /** What went wrong, for programs. */
  readonly code: RoomcastErrorCode;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** Whether it may have had an effect all the same. */
  readonly outcome: ErrorOutcome;
  /** Which fields were wrong, and how. */
  readonly details: readonly Detail[];
  /** The method's own error, as the room's logic declares it; absent where there is none. */
  readonly data: unknown;
  /** How long to wait before a retry, where the server said so. */
  readonly retryAfterMs: number | undefined;
  /** The WebSocket close code, where a connection was ended for good. */
  readonly closeCode: number | undefined;

  constructor(
    code: RoomcastErrorCode,
    message: string,
    more: {
      retryable?: boolean;
      outcome?: ErrorOutcome;
      details?: readonly Detail[];
      data?: unknown;
      retryAfterMs?: number | undefined;
      closeCode?: number;
      cause?: unknown;
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = "RoomcastError";
    this.code = code;
    this.retryable = more.retryable ?? false;
    this.outcome = more.outcome ?? "rejected";
    this.details = more.details ?? [];
    this.data = more.data;
    this.retryAfterMs = more.retryAfterMs;
    this.closeCode = more.closeCode;
  }
}

/** Tells the page of an error that nobody awaits, as an uncaught one, without disturbing anything else. */
export function report(error: unknown): void {
  queueMicrotask(() => {
    if (typeof globalThis.reportError === "function") globalThis.reportError(error);
    else throw error;
  });
}

/** How the core tells that a request failed. */
export function refusal(event: Refusal): RoomcastError {
  const { code, message, retryable, outcome, details, data, retry_after_ms } = event;
  return new RoomcastError(code, message, { retryable, outcome, details, data, retryAfterMs: retry_after_ms });
}

/** A final close's reason is its code's name, or a sentence of whoever closed. */
export function failure(closeCode: number, reason: string): RoomcastError {
  const code = /^[a-z_]+$/.test(reason) ? reason : "closed";
  return new RoomcastError(code, `the room ended the connection for good: ${closeCode} ${reason}`, { closeCode });
}
