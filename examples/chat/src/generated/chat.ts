// What the behavior `chat` offers. Written by `cargo xtask codegen`.

export interface Attachment { url: string; name?: string }
export interface Said { text: string; id?: string; thread?: number; mentions?: Array<string>; attachments?: Array<Attachment> }
export interface Typing { on: boolean; thread?: number }
export interface Mention { by: string; text: string; id?: string; thread?: number }
export interface Unread { read: number; unread: number; mentions: number }
export interface MutedUntil { until: number }
export interface Policy { slow_ms: number }
export interface Doing { away: boolean }
export interface Profile { user: string; info?: unknown; seen: number }
export interface Entered { unread: Unread; muted_until: number; moderator: boolean; people: Array<Profile> }
export interface Place { offset: number }
export interface ThreadOf { parent: number; before?: number; limit?: number }
export interface Reply { offset: number; time: number; user?: string; info?: unknown; data: unknown; edited: boolean }
export interface Thread { parent?: Reply; replies: Array<Reply>; total: number; next?: number }
export interface Mute { user: string; minutes: number }
export interface Who { user: string }
export interface Block { user: string; minutes: number; reason?: string }
export interface SlowMode { seconds: number }
export interface Muted { user: string; until: number }
export type ChatError =
  | { reason: "never_here" }
  | { reason: "muted"; until: number }
  | { reason: "slow_mode"; wait_ms: number }
  | { reason: "not_a_moderator" }
  | { reason: "no_such_message" }
  | { reason: "malformed"; path: string };

export interface Chat {
  methods: {
    enter: { args: null; result: Entered; error: ChatError };
    unread: { args: null; result: Unread; error: ChatError };
    mark_read: { args: Place; result: Unread; error: ChatError };
    remove: { args: Place; result: Place; error: ChatError };
    thread: { args: ThreadOf; result: Thread; error: ChatError };
    mute: { args: Mute; result: Muted; error: ChatError };
    unmute: { args: Who; result: Muted; error: ChatError };
    muted: { args: null; result: Array<Muted>; error: ChatError };
    block: { args: Block; result: null; error: ChatError };
    slow_mode: { args: SlowMode; result: Policy; error: ChatError };
  };
  streams: {};
  events: { message: Said; typing: Typing; mention: Mention; unread: Unread; muted: MutedUntil };
  state: { policy: Policy };
  presence: Doing;
}
