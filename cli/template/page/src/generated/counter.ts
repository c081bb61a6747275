// Written by `cargo xtask codegen` from the Rust types of a behavior. Do not edit.

/**
 * What `add` takes.
 */
export type Add = { by: number, };

/**
 * Published as `added`.
 */
export type Added = { by: number, 
/**
 * Who added; absent for a backend.
 */
user?: string, count: number, };

/**
 * What `add` returns.
 */
export type Count = { count: number, };

/** What rooms with the behavior `counter` offer. */
export interface Counter {
  events: {
    "added": Added;
  };
  methods: {
    add: { args: Add; result: Count; error: never };
  };
  services: {
    reset: { args: null; result: null; error: never };
  };
  state: {
    "count": number;
  };
  streams: {};
  presence: unknown;
}
