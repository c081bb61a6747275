/**
 * Rooms in memory, for an application's own tests: no network, no server to start, and the same rules, for the room is
 * the very one that a deployment runs.
 *
 * @example
 * ```ts
 * import { MemoryServer } from "@roomcast/client/testing";
 *
 * const server = await MemoryServer.start();
 * const ada = server.client("ada").room<{ message: { text: string } }>("chat:lobby");
 * const bob = server.client("bob").room<{ message: { text: string } }>("chat:lobby");
 * await Promise.all([ada.join(), bob.join()]);
 * bob.on("message", ({ data }) => console.log(data.text));
 * await ada.publish("message", { text: "hi" });
 * server.stop();
 * ```
 *
 * @module
 */
export { MemoryServer } from "./server.js";
export type { MemoryPublishOptions, MemoryServerOptions, TokenClaims, Whom } from "./server.js";
