/** What the compiler must accept, and must not. Never run. */
import { Roomcast, type LoggedPublication, type Member, type Published } from "@roomcast/client";

export async function types(client: Roomcast): Promise<void> {
  type Chat = { message: { text: string }; sketch: Uint8Array };
  const room = client.room<Chat, { typing: boolean }>("chat:lobby", { presence: { typing: false } });

  room.on("message", (message) => {
    const text: string = message.data.text;
    const type: "message" = message.type;
    // @ts-expect-error an ephemeral has no offset
    const offset: number = message.offset;
    if (!message.ephemeral) {
      const logged: number = message.offset;
      void logged;
    }
    void [text, type, offset];
  });
  room.on("publication", (message) => {
    // @ts-expect-error what was taken back has no data
    if (message.type === "message") void message.data.text;
    if (message.type === "sketch" && !message.removed) {
      const bytes: Uint8Array = message.data;
      void bytes;
    }
  });
  room.on("members", (members) => {
    const typing: boolean | undefined = members[0]?.data?.typing;
    // @ts-expect-error snapshots are not to be changed
    members.push(members[0] as Member<{ typing: boolean }>);
    void typing;
  });
  // @ts-expect-error no such type of publication
  room.on("massage", () => {});
  // @ts-expect-error the text is missing
  await room.publish("message", {});
  // @ts-expect-error data of another type
  await room.publish("sketch", { text: "x" });
  // @ts-expect-error no such status
  if (room.status === "conected") return;
  // @ts-expect-error another presence
  await room.presence.set({ typing: "yes" });

  const logged: Published = await room.publish("message", { text: "x" });
  const fanned: void = await room.publish("message", { text: "x" }, { ephemeral: true });
  const page = await room.history({ limit: 5 });
  for (const message of page.messages) {
    const offset: number = message.offset;
    if (message.type === "message" && !message.removed) void message.data.text;
    void offset;
  }
  for await (const message of room.history({ before: 9 })) {
    if (message.removed) continue;
    // @ts-expect-error it may be bytes
    message.data.text;
  }

  await calls(client);
  void [logged, fanned, null as LoggedPublication | null];
}

async function calls(client: Roomcast): Promise<void> {
  type Chat = { message: { text: string } };
  type Methods = { move: { args: { x: number }; result: boolean }; replay: { args: null; result: null; item: string } };
  const game = client.room<Chat, unknown, Methods>("game:7");
  const moved: boolean = await game.call("move", { x: 1 });
  for await (const step of game.stream("replay", null)) step.length;
  // @ts-expect-error no such method
  await game.call("mov", { x: 1 });
  // @ts-expect-error other arguments
  await game.call("move", { x: "1" });
  void moved;

  const untyped = client.room("chat:lobby");
  untyped.on("anything", (message) => {
    // @ts-expect-error unknown data is to be checked
    message.data.text;
  });
  untyped.on("gap", ({ reason }) => reason === "trimmed");
  // @ts-expect-error a room's name is needed
  client.room();
  // @ts-expect-error where the rooms are is needed
  new Roomcast({});
}

export async function changes(client: Roomcast): Promise<void> {
  const room = client.room<{ message: { text: string } }>("chat:lobby");
  room.on("react", ({ ref, data }) => {
    const name: string = data.name;
    void [ref, name];
  });
  const edited: { offset: number } = await room.edit(1, { text: "x" });
  // @ts-expect-error the text is missing
  await room.edit(1, {});
  const { version }: { version: number } = await room.state.set("topic", "tea", { if: 0, owned: true });
  await room.state.batch([{ set: "a", value: 1 }, { delete: "b", if: version }]);
  // @ts-expect-error either is needed
  await room.state.batch([{ value: 1 }]);
  const topic: string | undefined = room.state.get<string>("topic");
  room.on("state", ({ ops }) => ops.map((op) => ("delete" in op ? op.delete : op.value)));
  void [edited, topic];
}
