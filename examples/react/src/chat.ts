/** What this application's rooms are about, and the hooks for them. */
import { createRoomContext } from "@roomcast/client/react";
import type { MessageEntry } from "@roomcast/client";

type Events = { message: { text: string } };
type Presence = { typing: boolean };

export type Entry = MessageEntry<Events>;

export const { RoomProvider, useMessages, useMyPresence, useOthers, usePresence, useRoom, useStatus } =
  createRoomContext<Events, Presence>();
