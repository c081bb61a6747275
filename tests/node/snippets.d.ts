// What TypeScript in documents may use without saying where it comes from.
import type * as client from "@roomcast/client";

declare global {
  const client: client.Roomcast;
  const room: client.Room<{ message: { text: string } }>;
  const process: { env: Record<string, string | undefined> };
}
