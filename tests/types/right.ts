// What the types of the behavior `dice` accept, and, where it is expected, refuse. Compiled, never run.
import type { Roomcast, RoomOf } from "@roomcast/client";
import type { Dice, Rolled } from "./generated/dice.js";

export async function play(client: Roomcast): Promise<void> {
  const room: RoomOf<Dice> = client.room<Dice>("dice:table-1", { presence: { name: "Ada" } });
  const { total }: Rolled = await room.call("roll", { sides: 6 });
  const sum: number = total;
  await room.call("roll", { sides: 6, times: 2 }, { signal: AbortSignal.timeout(1_000) });
  await room.call("forget");
  for await (const rolled of room.stream("rolls", { least: 3 })) rolled.total.toFixed();
  room.on("rolled", ({ data }) => data.total.toFixed());
  room.state.get("best")?.toFixed();
  room.members[0]?.data?.name.toUpperCase();
  const error: Dice["methods"]["roll"]["error"] = { kind: "too_many", most: 10 };

  // @ts-expect-error no such method
  await room.call("rol", { sides: 6 });
  // @ts-expect-error an argument is missing
  await room.call("roll", {});
  // @ts-expect-error an argument of another type
  await room.call("roll", { sides: "6" });
  // @ts-expect-error an argument that it does not take
  await room.call("roll", { sides: 6, faces: 6 });
  // @ts-expect-error for backends alone
  await room.call("close");
  // @ts-expect-error it does not stream
  room.stream("roll", { sides: 6 });
  // @ts-expect-error no such type of publication
  room.on("roled", () => {});
  // @ts-expect-error data has no such field
  room.on("rolled", ({ data }) => data.sum);
  // @ts-expect-error a value of another type
  room.state.get("best")?.toUpperCase();
  // @ts-expect-error other presence data
  await room.presence.set({ nam: "Ada" });
  void [sum, error];
}
