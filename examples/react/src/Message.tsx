import { memo } from "react";
import { Avatar } from "./Avatar";
import { useRoom, type Entry } from "./chat";
import { name } from "./connection";
import { useRenders } from "./renders";

const PALETTE = ["👍", "❤️", "🎉", "👀"];

interface Props {
  entry: Entry;
  isFollowing: boolean;
  loadGap(key: string): Promise<void>;
  retry(key: string): void;
  discard(key: string): void;
}

/** One line. An entry that did not change is the same value, so that only what changed is rendered. */
export const Message = memo(function Message({ entry, isFollowing, loadGap, retry, discard }: Props) {
  const renders = useRenders();
  if (entry.kind === "gap") {
    return (
      <li className="aside gap" {...renders}>
        Messages are missing here
        {entry.state === "open" ? (
          <button type="button" onClick={() => void loadGap(entry.key)}>
            Load them
          </button>
        ) : (
          ", and are gone"
        )}
      </li>
    );
  }
  if (entry.kind !== "message") {
    return (
      <li className={`message own ${entry.kind}`} {...renders}>
        <p className="bubble">{entry.data.text}</p>
        {entry.kind === "pending" ? (
          <p className="note">Sending …</p>
        ) : (
          <p className="note" role="alert">
            {entry.error?.outcome === "unknown" ? "Nobody can say whether this arrived" : "Not sent"}
            <button type="button" onClick={() => retry(entry.key)}>
              Try again
            </button>
            <button type="button" onClick={() => discard(entry.key)}>
              Discard
            </button>
          </p>
        )}
      </li>
    );
  }
  const user = entry.from?.user ?? "the system";
  const isOwn = user === name;
  return (
    <li className={`message ${isOwn ? "own" : ""} ${isFollowing ? "following" : ""}`} {...renders}>
      {!isOwn && !isFollowing && <Avatar user={user} />}
      {!isFollowing && (
        <p className="byline">
          {!isOwn && <b>{user}</b>} <time>{clock.format(entry.time)}</time>
        </p>
      )}
      <div className="said">
        {entry.removed ? (
          <p className="bubble removed">This message was taken back</p>
        ) : (
          <>
            <p className="bubble">
              {entry.data.text}
              {entry.edited && <small> (edited)</small>}
            </p>
            <Tools offset={entry.offset} isOwn={isOwn} />
          </>
        )}
      </div>
      <Reactions offset={entry.offset} reactions={entry.reactions} />
    </li>
  );
});

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

type Sent = Extract<Entry, { kind: "message" }>;

function Tools({ offset, isOwn }: { offset: number; isOwn: boolean }) {
  const room = useRoom();
  return (
    <span className="tools">
      {PALETTE.map((emoji) => (
        <button type="button" key={emoji} aria-label={`React with ${emoji}`} onClick={() => quietly(room.react(offset, emoji))}>
          {emoji}
        </button>
      ))}
      {isOwn && (
        <button type="button" aria-label="Take back" title="Take back" onClick={() => quietly(room.remove(offset))}>
          ✕
        </button>
      )}
    </span>
  );
}

function Reactions({ offset, reactions }: Pick<Sent, "offset" | "reactions">) {
  const room = useRoom();
  const names = Object.entries(reactions);
  if (names.length === 0) return null;
  return (
    <p className="reactions">
      {names.map(([emoji, { count, users }]) => {
        const isOurs = users.includes(name);
        return (
          <button
            type="button"
            key={emoji}
            aria-pressed={isOurs}
            title={users.join(", ")}
            onClick={() => quietly(room.react(offset, emoji, !isOurs))}
          >
            {emoji} {count}
          </button>
        );
      })}
    </p>
  );
}

/** What is shown comes from the room: a reaction that failed is one that does not appear. */
function quietly(done: Promise<unknown>): void {
  done.catch((error: unknown) => console.warn(error));
}
