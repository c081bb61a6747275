// Written by `cargo xtask codegen` from the Rust types of a behavior. Do not edit.

export type Open = { question: string, options: Array<string>, seconds: number, };

export type PollError = "Opened" | "Closed" | "NoSuchOption";

export type Tally = { question: string, options: Array<string>, votes: Array<number>, is_open: boolean, };

export type Vote = { option: number, };

/** What rooms with the behavior `poll` offer. */
export interface Poll {
  events: {
    "closed": Tally;
  };
  methods: {
    vote: { args: Vote; result: Tally; error: PollError };
  };
  services: {
    open: { args: Open; result: null; error: PollError };
  };
  state: {
    "tally": Tally;
  };
  streams: {};
  presence: unknown;
}
