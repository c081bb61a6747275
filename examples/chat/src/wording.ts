/** What is said when something does not work: what is known, and what can be done. */
import { RoomcastError } from "./roomcast.js";
import type { Unsent } from "./timeline.js";

export interface Failure {
  title: string;
  text: string;
  /** What the button does, where a button helps. */
  remedy: "again" | "rename" | "none";
}

const FAILURES: Record<string, Failure> = {
  no_demo_tokens: {
    title: "This server gives out no demo tokens.",
    text: "Run it with cargo xtask dev, or give this page a token function of your own.",
    remedy: "none",
  },
  unauthorized: { title: "The room did not accept the token.", text: "A new one may do.", remedy: "again" },
  forbidden: { title: "You may not enter this room.", text: "The token does not open it.", remedy: "none" },
  revoked: { title: "Your access was withdrawn.", text: "Whoever runs this server did so.", remedy: "rename" },
  blocked_or_kicked: { title: "You were asked to leave.", text: "A moderator closed the connection.", remedy: "again" },
  room_full: { title: "The room is full.", text: "Or you have too many tabs in it.", remedy: "again" },
  room_deleted: {
    title: "The room was deleted.",
    text: "What was said in it is gone. Going in again opens a new room of that name.",
    remedy: "again",
  },
  session_replaced: { title: "You are connected elsewhere.", text: "A newer connection took this one's place.", remedy: "again" },
  rate_limited: { title: "That was too fast.", text: "The room closed the connection. Wait a little.", remedy: "again" },
  unknown_kind: { title: "There are no chats on this server.", text: "Its configuration has no kind “chat”.", remedy: "none" },
  unsupported_protocol: { title: "This page is out of date.", text: "Reload it.", remedy: "none" },
};

export function failureOf(error: RoomcastError | undefined): Failure {
  const known = error && FAILURES[error.code];
  if (known) return known;
  return { title: "The connection was closed for good.", text: error?.message ?? "", remedy: "again" };
}

/** Why a message was not sent, or is not known to be: what follows on "Not sent." or "Not confirmed." */
export function whyUnsent(error: unknown): Unsent {
  const isOurs = error instanceof RoomcastError;
  return { reason: isOurs ? reasonOf(error) : "Something unexpected went wrong.", unsure: isOurs && error.outcome === "unknown" };
}

export const LOST_ON_THE_WAY: Unsent = { reason: "It was lost when the connection broke.", unsure: false };

function reasonOf({ code, outcome }: RoomcastError): string {
  if (outcome === "unknown") return "The connection broke before the room could answer.";
  switch (code) {
    case "too_large":
      return "It is too long.";
    case "rate_limited":
      return "That was too fast. Wait a little.";
    case "overloaded":
      return "Too many messages are waiting already.";
    case "forbidden":
      return "You may read here, but not write.";
    case "unavailable":
      return "The room could not store it.";
    default:
      return `The room refused it (${code}).`;
  }
}
