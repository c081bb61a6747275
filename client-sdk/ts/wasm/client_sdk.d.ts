/* tslint:disable */
/* eslint-disable */

export class ClientCore {
    free(): void;
    [Symbol.dispose](): void;
    cancel(now: number, call: number): Uint8Array;
    closed(now: number, attempt: number, code: number, reason: string): Uint8Array;
    /**
     * Offsets beyond what a number holds exactly stand for no bound.
     */
    history(now: number, call: number, before: number | null | undefined, after: number | null | undefined, limit: number, tags: string[]): Uint8Array;
    join(now: number): Uint8Array;
    leave(now: number): Uint8Array;
    network_found(now: number): Uint8Array;
    network_lost(now: number): Uint8Array;
    /**
     * # Errors
     * A sentence that says which argument is not of its shape.
     */
    constructor(now: number, seed: number, room: string, session: string, has_token: boolean, rewind: number | null | undefined, tags: string[], presence_text: string | null | undefined, presence_bytes: Uint8Array | number[] | null | undefined, members: boolean);
    opened(now: number, attempt: number): Uint8Array;
    /**
     * # Errors
     * Where the payload nests too deep.
     */
    presence(now: number, call: number, text: string, bytes?: Uint8Array | number[] | null): Uint8Array;
    /**
     * `bytes` is the payload where it is given, `text` is JSON otherwise. The lists of `to` are heeded where
     * `has_to` says that there is one.
     *
     * # Errors
     * A sentence that says which argument is not of its shape.
     */
    publish(now: number, call: number, kind: string, text: string, bytes: Uint8Array | number[] | null | undefined, tags: string[], has_to: boolean, users: string[], sessions: string[], connections: string[], ephemeral: boolean, echo: boolean): Uint8Array;
    received(now: number, attempt: number, bytes: Uint8Array | number[]): Uint8Array;
    /**
     * A text frame: a pong.
     */
    received_text(now: number, attempt: number): Uint8Array;
    timed_out(now: number): Uint8Array;
    token_failed(now: number, attempt: number): Uint8Array;
    token_fetched(now: number, attempt: number, token: string): Uint8Array;
    token_refused(now: number, attempt: number, reason: string): Uint8Array;
    visible(now: number): Uint8Array;
}

export type InitInput = RequestInfo | URL | Response | BufferSource | WebAssembly.Module;

export interface InitOutput {
    readonly memory: WebAssembly.Memory;
    readonly __wbg_clientcore_free: (a: number, b: number) => void;
    readonly clientcore_cancel: (a: number, b: number, c: number) => [number, number];
    readonly clientcore_closed: (a: number, b: number, c: number, d: number, e: number, f: number) => [number, number];
    readonly clientcore_history: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number, j: number) => [number, number];
    readonly clientcore_join: (a: number, b: number) => [number, number];
    readonly clientcore_leave: (a: number, b: number) => [number, number];
    readonly clientcore_network_found: (a: number, b: number) => [number, number];
    readonly clientcore_network_lost: (a: number, b: number) => [number, number];
    readonly clientcore_new: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number, j: number, k: number, l: number, m: number, n: number, o: number) => [number, number, number];
    readonly clientcore_opened: (a: number, b: number, c: number) => [number, number];
    readonly clientcore_presence: (a: number, b: number, c: number, d: number, e: number, f: number, g: number) => [number, number, number, number];
    readonly clientcore_publish: (a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number, i: number, j: number, k: number, l: number, m: number, n: number, o: number, p: number, q: number, r: number, s: number, t: number) => [number, number, number, number];
    readonly clientcore_received: (a: number, b: number, c: number, d: number, e: number) => [number, number];
    readonly clientcore_received_text: (a: number, b: number, c: number) => [number, number];
    readonly clientcore_timed_out: (a: number, b: number) => [number, number];
    readonly clientcore_token_failed: (a: number, b: number, c: number) => [number, number];
    readonly clientcore_token_fetched: (a: number, b: number, c: number, d: number, e: number) => [number, number];
    readonly clientcore_token_refused: (a: number, b: number, c: number, d: number, e: number) => [number, number];
    readonly clientcore_visible: (a: number, b: number) => [number, number];
    readonly __wbindgen_malloc: (a: number, b: number) => number;
    readonly __wbindgen_realloc: (a: number, b: number, c: number, d: number) => number;
    readonly __wbindgen_free: (a: number, b: number, c: number) => void;
    readonly __wbindgen_externrefs: WebAssembly.Table;
    readonly __externref_table_alloc: () => number;
    readonly __externref_drop_slice: (a: number, b: number) => void;
    readonly __externref_table_dealloc: (a: number) => void;
    readonly __wbindgen_start: () => void;
}

export type SyncInitInput = BufferSource | WebAssembly.Module;

/**
 * Instantiates the given `module`, which can either be bytes or
 * a precompiled `WebAssembly.Module`.
 *
 * @param {{ module: SyncInitInput }} module - Passing `SyncInitInput` directly is deprecated.
 *
 * @returns {InitOutput}
 */
export function initSync(module: { module: SyncInitInput } | SyncInitInput): InitOutput;

/**
 * If `module_or_path` is {RequestInfo} or {URL}, makes a request and
 * for everything else, calls `WebAssembly.instantiate` directly.
 *
 * @param {{ module_or_path: InitInput | Promise<InitInput> }} module_or_path - Passing `InitInput` directly is deprecated.
 *
 * @returns {Promise<InitOutput>}
 */
export default function __wbg_init (module_or_path: { module_or_path: InitInput | Promise<InitInput> } | InitInput | Promise<InitInput>): Promise<InitOutput>;
