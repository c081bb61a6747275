export type Phase = "lobby" | "countdown" | "playing" | "finished";

export interface Seated {
  seat: number;
  session: string;
  name: string;
  is_bot: boolean;
  is_ready: boolean;
  wins: number;
}

export interface Score {
  seat: number;
  name: string;
  tiles: number;
}

export interface Lobby {
  phase: Phase;
  round: number;
  seats: Seated[];
  scores: Score[];
  winner: number | null;
}

export interface Game {
  methods: {
    sit: { args: null; result: { seat: number } };
    stand: { args: null; result: null };
    ready: { args: { ready: boolean }; result: null };
  };
  events: {
    input: { n: number; x: number; y: number; dash: boolean };
    resync: null;
    frame: Uint8Array;
  };
  state: { lobby: Lobby };
}
