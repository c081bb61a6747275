// What TypeScript in documents may use without saying where it comes from.
import type * as client from "@roomcast/client";

declare global {
  const client: client.Roomcast;
  const room: client.Room<{ message: { text: string } }>;
  const process: { env: Record<string, string | undefined> };
  /** As `cargo xtask codegen` writes it. */
  interface Poll {
    methods: { vote: { args: { option: number }; result: { votes: number[] }; error: string } };
    services: { open: { args: { question: string; options: string[]; seconds: number }; result: null; error: string } };
    streams: {};
    events: { closed: { votes: number[] } };
    state: { tally: { votes: number[] } };
    presence: unknown;
  }
}
