import type { Payload } from "./core.js";
import { RoomcastError } from "./errors.js";

/** What an application sends, as the core takes it: bytes, or JSON's text. */
export function payload(data: unknown, path = "data"): Payload {
  if (data instanceof Uint8Array) return data;
  const text = JSON.stringify(data) as string | undefined;
  if (text === undefined) {
    const message = "is neither JSON nor a Uint8Array";
    throw new RoomcastError("invalid_argument", `${path} ${message}`, { details: [{ path, message }] });
  }
  return text;
}
