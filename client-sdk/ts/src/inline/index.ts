/**
 * All of `@roomcast/client`, with the Wasm module within the JavaScript: for bundlers that leave
 * `new URL(…, import.meta.url)` as it is (esbuild), for a single file, and where nothing may be fetched. A third
 * larger than the module beside it.
 *
 * @example
 * ```ts
 * import { Roomcast } from "@roomcast/client/inline";
 *
 * const client = new Roomcast({ url: "https://rooms.example" });
 * ```
 *
 * @module
 */
import { Roomcast as Plain, type RoomcastOptions } from "../client.js";
import { packed } from "./module.js";

export * from "../index.js";

/** A deployment of Roomcast, as seen from here, by a client that fetches no module. */
export class Roomcast extends Plain {
  constructor(options: RoomcastOptions) {
    const asked = { ...options };
    // Anew for each room: a response can be read once.
    Object.defineProperty(asked, "wasm", { get: () => options.wasm ?? unpacked() });
    super(asked);
  }
}

/** Streamed into the compiler at the first join, as a fetched one would be. */
function unpacked(): Response {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const module = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(module, { headers: { "content-type": "application/wasm" } });
}
