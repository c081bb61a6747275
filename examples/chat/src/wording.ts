/** What is said when something does not work: what is known, and what can be done. */
import { hasAccounts, RoomcastError } from "./roomcast.js";
import type { ChatError } from "./generated/chat.js";

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
  unauthorized: { title: "You are not logged in.", text: "Or the room did not accept your token.", remedy: "again" },
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
  unknown_kind: { title: "There are no such rooms on this server.", text: "Its configuration lacks their kind.", remedy: "none" },
  unsupported_protocol: { title: "This page is out of date.", text: "Reload it.", remedy: "none" },
};

export function failureOf(error: RoomcastError | undefined): Failure {
  const known = error && Object.hasOwn(FAILURES, error.code) ? FAILURES[error.code] : undefined;
  // With an account nobody has another name to come in under.
  if (known) return hasAccounts && known.remedy === "rename" ? { ...known, remedy: "again" } : known;
  return { title: "The connection was closed for good.", text: error?.message ?? "", remedy: "again" };
}

export interface Unsent {
  reason: string;
  /** Nobody can say whether it failed. */
  unsure: boolean;
}

/** Why a message was not sent, or is not known to be: what follows on "Not sent." or "Not confirmed." */
export function whyUnsent(error: RoomcastError | undefined): Unsent {
  return { reason: whyRefused(error), unsure: error?.outcome === "unknown" };
}

/** Why something was not done, in a sentence. */
export function whyRefused(error: unknown): string {
  if (!(error instanceof RoomcastError)) return "Something unexpected went wrong.";
  const { code, outcome, message } = error;
  if (outcome === "unknown") return "The connection broke before the room could answer.";
  const why = reasonIn(error);
  switch (why?.reason) {
    case "muted":
      return "A moderator muted you.";
    case "slow_mode":
      return `Slow mode: wait ${Math.ceil(why.wait_ms / 1_000)} s.`;
    case "not_a_moderator":
      return "Only moderators may do that.";
    case "never_here":
    case "no_such_message":
      return "It is not there any more.";
    case "malformed":
      return "The room does not take it as it is.";
    case undefined:
  }
  switch (code) {
    case "too_large":
      return "It is too long.";
    case "rate_limited":
      return "That was too fast. Wait a little.";
    case "overloaded":
      return "Too many messages are waiting already.";
    case "forbidden":
      return "You may not do that here.";
    case "not_found":
      return "It is not there any more.";
    case "unavailable":
      return "The room could not store it.";
    case "unsupported":
      return "This room has no logic for that.";
    default:
      return message === "" ? `The room refused it (${code}).` : `The room refused it: ${message}.`;
  }
}

/** What the room's logic says about its refusal. */
function reasonIn({ data }: RoomcastError): ChatError | undefined {
  return typeof data === "object" && data !== null && "reason" in data ? (data as ChatError) : undefined;
}

/** Somebody who never came into a room has read nothing there. */
export function isNeverHere(error: unknown): boolean {
  return error instanceof RoomcastError && reasonIn(error)?.reason === "never_here";
}
