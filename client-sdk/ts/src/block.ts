/** What the core asks for, as it comes out of Wasm: see `client-sdk/src/pack.rs`. */

import type { Detail, Left, Occupancy, RecoveryFailure, StateChange } from "./generated/wire.js";
import type { Position } from "./core.js";
import type { Me, Member, RoomStatus } from "./events.js";

export interface Block extends Position {
  /** Which argument was not of its shape: nothing was done. */
  wrong?: string;
  /** When to call `timed_out`, on the driver's clock. */
  at?: number;
  /** At the end of the turn, rather. */
  turn?: boolean;
  do?: Output[];
}

export type Output = Command | CoreEvent;

export type Command =
  | { t: "fetch"; attempt: number }
  | { t: "open"; attempt: number; token?: string; http: boolean }
  | { t: "send"; attempt: number; text?: string; frame?: number | Uint8Array<ArrayBuffer> }
  | { t: "close"; attempt: number; code: number; reason: string };

export type CoreEvent =
  | { t: "status"; status: RoomStatus; code?: number; reason?: string }
  | ({ t: "welcome"; expires_at?: number } & Me)
  | { t: "gap"; reason: RecoveryFailure }
  | { t: "publication"; message: Message }
  | { t: "presence"; joined: Member[]; left: Left[]; updated: Member[] }
  | ({ t: "occupancy" } & Occupancy)
  | ({ t: "state" } & StateChange)
  | { t: "notice"; code: string; message?: string; expires_at?: number }
  | { t: "returned"; call: number; value: unknown; more: boolean }
  | ({ t: "settled"; call: number } & ({ result: Result } | Refusal));

export interface Message {
  type: string;
  data: unknown;
  time: number;
  offset?: number;
  from?: { user: string; session?: string; info?: unknown };
  tags: string[];
  removed?: true;
  ephemeral: boolean;
}

export interface Result {
  messages?: Message[];
}

export interface Refusal {
  outcome: "rejected" | "unknown";
  code: string;
  message: string;
  retryable: boolean;
  retry_after_ms?: number;
  details: Detail[];
  data?: unknown;
}

const decoder = new TextDecoder();

export function readBlock(bytes: Uint8Array): Block {
  const lengths = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = start + 4 + lengths.getUint32(start, true);
    parts.push(bytes.subarray(start + 4, end) as Uint8Array<ArrayBuffer>);
    start = end;
  }
  const [text, ...blobs] = parts;
  const block = JSON.parse(decoder.decode(text)) as Block;
  for (const output of block.do ?? []) complete(output, blobs);
  return block;
}

function complete(output: Output, blobs: Uint8Array<ArrayBuffer>[]): void {
  switch (output.t) {
    case "send":
      if (typeof output.frame === "number") output.frame = blobs[output.frame] as Uint8Array<ArrayBuffer>;
      break;
    case "publication":
      completeMessage(output.message, blobs);
      break;
    case "settled":
      if ("result" in output) {
        for (const message of output.result.messages ?? []) completeMessage(message, blobs);
      } else restore(output, "data", blobs);
      break;
    case "returned":
      restore(output, "value", blobs);
      break;
    case "state":
      for (const op of output.ops) restore(op, "value", blobs);
      break;
    case "presence":
      for (const member of [...output.joined, ...output.updated]) {
        restore(member, "data", blobs);
        restore(member, "info", blobs);
      }
      break;
  }
}

function completeMessage(message: Message, blobs: Uint8Array<ArrayBuffer>[]): void {
  message.ephemeral = message.offset === undefined;
  restore(message, "data", blobs);
  if (message.from) restore(message.from, "info", blobs);
}

/** A payload of bytes stands as the number of its blob, under its key and a `$`. It is copied: blobs share memory. */
function restore(holder: object, key: string, blobs: Uint8Array<ArrayBuffer>[]): void {
  const fields = holder as Record<string, unknown>;
  const blob = fields[`${key}$`];
  if (typeof blob !== "number") return;
  delete fields[`${key}$`];
  fields[key] = blobs[blob]?.slice();
}
