/** What the compiler must accept of React's hooks and of the helpers for backends, and must not. Never run. */
import { RoomMessages, type Room } from "@roomcast/client";
import { createRoomContext, RoomcastProvider, useMessages } from "@roomcast/client/react";
import { createToken, RoomcastServer, verifyWebhook } from "@roomcast/client/server";
import { createElement as h } from "react";

type Chat = { message: { text: string }; sketch: Uint8Array };

export function hooks(): void {
  const rooms = createRoomContext<Chat, { typing: boolean }, { topic: string; likes: number }>();
  const { entries, publish } = rooms.useMessages();
  for (const entry of entries) {
    if (entry.kind === "gap") {
      const reason: string = entry.reason;
      // @ts-expect-error a gap says nothing
      entry.data;
      void reason;
    } else if (entry.kind === "message") {
      const offset: number = entry.offset;
      // @ts-expect-error what was removed has no data
      entry.data;
      if (!entry.removed && entry.type === "message") void entry.data.text;
      void offset;
    } else if (entry.type === "sketch") {
      const bytes: Uint8Array = entry.data;
      // @ts-expect-error what is not confirmed has no place
      entry.offset;
      void bytes;
    }
  }
  publish("message", { text: "x" });
  // @ts-expect-error no such type of publication
  publish("massage", { text: "x" });
  // @ts-expect-error the text is missing
  publish("message", {});
  // @ts-expect-error an ephemeral is not for the list
  publish("message", { text: "x" }, { ephemeral: true });
  // @ts-expect-error entries are not to be changed
  entries.push(entries[0]);
  const count: number = rooms.useMessages((messages) => messages.entries.length);
  const typing: boolean | undefined = rooms.useOthers()[0]?.data?.typing;
  const [topic, setTopic] = rooms.useSharedState("topic");
  const text: string | undefined = topic;
  void setTopic((before) => `${before} and more`);
  void setTopic(undefined);
  // @ts-expect-error another type of value
  void setTopic(7);
  // @ts-expect-error no such key
  rooms.useSharedState("topics");
  const likes: number | undefined = rooms.useSharedState((state) => state.likes);
  const [mine, setMine] = rooms.useMyPresence();
  void setMine({ typing: !mine?.typing });
  // @ts-expect-error another presence
  void setMine({ typing: "yes" });
  rooms.useRoomEvent("sketch", ({ data }) => data.length);
  // @ts-expect-error no such type of publication
  rooms.useRoomEvent("skech", () => {});
  // @ts-expect-error a room's name is needed
  h(rooms.RoomProvider, {});
  // @ts-expect-error another presence
  h(rooms.RoomProvider, { name: "chat:lobby", presence: { typing: 1 } });
  // @ts-expect-error a client is needed
  h(RoomcastProvider, {});
  for (const entry of useMessages().entries) {
    // @ts-expect-error unknown data is to be checked
    if (entry.kind === "message" && !entry.removed) entry.data.text;
  }
  void [count, typing, text, likes];
}

export function list(room: Room<Chat>): void {
  const messages = new RoomMessages(room);
  messages.publish("sketch", new Uint8Array());
  // @ts-expect-error data of another type
  messages.publish("sketch", { text: "x" });
}

export async function backend(secret: string): Promise<void> {
  const rooms = new RoomcastServer({ url: "https://rooms.example", apiKey: secret });
  const lobby = rooms.room<Chat>("chat:lobby");
  const { offset }: { offset: number } = await lobby.publish("message", { text: "x" }, { from: { user: "ci" } });
  const fanned: void = await lobby.publish("message", { text: "x" }, { ephemeral: true });
  // @ts-expect-error the text is missing
  await lobby.publish("message", {});
  // @ts-expect-error whoever publishes in a name needs one
  await lobby.publish("message", { text: "x" }, { from: {} });
  // @ts-expect-error either is needed
  await lobby.writeState([{ value: 1 }]);
  const { members } = await lobby.members();
  for await (const { room, stored_bytes } of rooms.rooms()) void [room.length, stored_bytes.toFixed()];
  await createToken({ key: { kid: "app", alg: "HS256", secret }, sub: "ada", rooms: { "chat:*": ["join", "*"] } });
  // @ts-expect-error no such capability
  await createToken({ key: { kid: "app", alg: "HS256", secret }, sub: "ada", rooms: { "chat:*": ["joyn"] } });
  // @ts-expect-error an ES256 key is a private key
  await createToken({ key: { kid: "app", alg: "ES256", secret }, sub: "ada", rooms: {} });
  // @ts-expect-error where the rooms are is needed
  new RoomcastServer({ apiKey: secret });
  const { events } = await verifyWebhook("", {}, { secret });
  for (const event of events) {
    if (event.type === "member.left") void event.data.reason;
    // @ts-expect-error a room's own events say no more than their names
    if (event.type === "room.occupied") event.data.user.length;
  }
  void [offset, fanned, members];
}
