/** What the compiler must accept, and must not. Never run. */
import { Roomcast, type LoggedPublication, type Member, type Published, type RoomOf } from "@roomcast/client";

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
  await behavior(client);
  void [logged, fanned, null as LoggedPublication | null];
}

/** As `cargo xtask codegen` writes it. */
interface Dice {
  methods: {
    roll: { args: { sides?: number }; result: { total: number }; error: { kind: "too_many_sides" } };
    reset: { args: null; result: null; error: string };
  };
  streams: { rolls: { args: null; item: { total: number }; error: string } };
  events: { rolled: { total: number } };
  state: { last: number };
  presence: { name: string };
}

async function behavior(client: Roomcast): Promise<void> {
  const room = client.room<Dice>("dice:table-1", { presence: { name: "Ada" } });
  const typed: RoomOf<Dice> = room;
  const { total } = await room.call("roll", { sides: 6 });
  const sum: number = total;
  await room.call("reset");
  await room.call("reset", null, { signal: AbortSignal.timeout(1) });
  for await (const roll of room.stream("rolls")) roll.total.toFixed();
  room.on("rolled", (message) => message.data.total.toFixed());
  room.state.get("last")?.toFixed();
  room.state.subscribe("last", (last) => last?.toFixed());
  room.members[0]?.data?.name.toUpperCase();

  // @ts-expect-error no such method
  await room.call("rol", { sides: 6 });
  // @ts-expect-error an argument of another type
  await room.call("roll", { sides: "6" });
  // @ts-expect-error an argument of another name
  await room.call("roll", { side: 6 });
  // @ts-expect-error it takes an argument
  await room.call("roll");
  // @ts-expect-error it takes none
  await room.call("reset", 1);
  // @ts-expect-error it does not stream
  room.stream("roll", { sides: 6 });
  // @ts-expect-error another result
  const text: string = (await room.call("roll", {})).total;
  // @ts-expect-error no such type of publication
  room.on("roled", () => {});
  // @ts-expect-error data of another type
  room.on("rolled", (message) => message.data.sum);
  // @ts-expect-error a value of another type
  room.state.get("last")?.toUpperCase();
  // @ts-expect-error another presence
  await room.presence.set({ nam: "Ada" });
  void [typed, sum, text];
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
