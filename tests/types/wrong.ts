// Each call here is a mistake that the types of the behavior `dice` find: a test counts them.
import type { Roomcast } from "@roomcast/client";
import type { Dice } from "./generated/dice.js";

export async function play(client: Roomcast): Promise<void> {
  const room = client.room<Dice>("dice:table-1");
  await room.call("rol", { sides: 6 }); // wrong
  await room.call("roll", { sides: "6" }); // wrong
  await room.call("roll"); // wrong
  await room.call("close"); // wrong
  room.stream("roll", { sides: 6 }); // wrong
}
