// Written by `cargo xtask codegen` from the Rust types of a behavior. Do not edit.

/**
 * How many bots of the room's own are to play.
 */
export type Bots = { count: number, };

/**
 * One frame, in bytes (`behavior/src/frame.rs`), as the ephemeral `frame`.
 */
export type FrameBytes = Uint8Array;

/**
 * Why a player is told no.
 */
export type GameError = "full" | "not_seated" | "not_here" | "playing";

/**
 * What a player wants in one tick, as the ephemeral `input`.
 */
export type Input = { 
/**
 * Counted from 1 since they sat down, rising.
 */
n: number, 
/**
 * Where the stick is, to the right and down: at most 127 from its middle, and brought back where it is not.
 */
x: number, y: number, dash: boolean, };

/**
 * The lobby.
 */
export type Lobby = { phase: Phase, 
/**
 * Rounds that were begun.
 */
round: number, 
/**
 * By their number.
 */
seats: Array<Seated>, 
/**
 * Of the last round, the most tiles first.
 */
scores: Array<Score>, 
/**
 * Who had more tiles than anyone else.
 */
winner: number | null, };

/**
 * Where a round is.
 */
export type Phase = "lobby" | "countdown" | "playing" | "finished";

/**
 * Whether one is ready for the next round.
 */
export type Ready = { ready: boolean, };

/**
 * How many tiles someone had when the time was up.
 */
export type Score = { seat: number, name: string, tiles: number, };

/**
 * Someone who plays.
 */
export type Seated = { 
/**
 * Their number, which is also their colour's.
 */
seat: number, 
/**
 * The public session that plays. It is a member of the room: the seat goes when it does. Empty for a bot of the
 * room's own.
 */
session: string, name: string, is_bot: boolean, is_ready: boolean, 
/**
 * Rounds won since they sat down.
 */
wins: number, };

/**
 * A seat that is yours.
 */
export type Taken = { seat: number, };

/** What rooms with the behavior `game` offer. */
export interface Game {
  events: {
    "frame": FrameBytes;
    "input": Input;
    "resync": null;
  };
  methods: {
    bots: { args: Bots; result: null; error: GameError };
    ready: { args: Ready; result: null; error: GameError };
    sit: { args: null; result: Taken; error: GameError };
    stand: { args: null; result: null; error: GameError };
  };
  services: {};
  state: {
    "lobby": Lobby;
  };
  streams: {};
  presence: unknown;
}
