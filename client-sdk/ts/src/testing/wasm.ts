import init, { MemoryRoom } from "./client_testing.js";
import { moduleAt } from "../wasm.js";

export type { MemoryRoom };

let loading: Promise<typeof MemoryRoom> | undefined;

/** Loads the module once for all servers. */
export function loadRooms(): Promise<typeof MemoryRoom> {
  loading ??= moduleAt(new URL("./client_testing_bg.wasm", import.meta.url)).then(async (module) => {
    await init({ module_or_path: module });
    return MemoryRoom;
  });
  return loading;
}
