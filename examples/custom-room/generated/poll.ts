// Written by `cargo xtask codegen` from the Rust types of a behavior. Do not edit.

export type Open = { question: string, options: Array<string>, seconds: number, };

export type Vote = { option: number, };

/** What rooms with the behavior `poll` offer. */
export interface Poll {
  events: {
    "closed": { [key in string]: number };
  };
  methods: {
    vote: { args: Vote; result: { [key in string]: number }; error: never };
  };
  services: {
    open: { args: Open; result: null; error: never };
  };
  state: {
    "poll": Open;
    "tally": { [key in string]: number };
  };
  streams: {};
  presence: unknown;
}
