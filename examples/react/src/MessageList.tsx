import { useEffect, useLayoutEffect, useRef } from "react";
import { useMessages } from "./chat";
import { Message } from "./Message";
import { useRenders } from "./renders";

/** So near to the end counts as at the end, in pixels. */
const NEAR = 60;

export function MessageList() {
  const { entries, hasOlder, isLoading, error, loadOlder, loadGap, retry, discard } = useMessages();
  const scroller = useRef<HTMLDivElement>(null);
  const { onScroll } = useStickToEnd(scroller, entries);
  return (
    <div className="scroller" ref={scroller} onScroll={onScroll} tabIndex={0} role="log" aria-label="Messages">
      <ol id="list" className="list" {...useRenders()}>
        {entries.length > 0 && hasOlder && (
          <li className="aside">
            <button type="button" disabled={isLoading} onClick={() => void loadOlder()}>
              {isLoading ? "Loading …" : "Earlier messages"}
            </button>
            {error && <span role="alert"> That did not work: {error.message}</span>}
          </li>
        )}
        {entries.length === 0 && <li className="aside empty">Nothing has been said here yet.</li>}
        {entries.map((entry, index) => (
          <Message
            key={entry.key}
            entry={entry}
            isFollowing={follows(entries[index - 1], entry)}
            loadGap={loadGap}
            retry={retry}
            discard={discard}
          />
        ))}
      </ol>
    </div>
  );
}

type Entries = ReturnType<typeof useMessages>["entries"];

/** Whether it stands under the name of the one before. */
function follows(before: Entries[number] | undefined, entry: Entries[number]): boolean {
  if (before?.kind !== "message" || entry.kind !== "message") return false;
  return before.from?.user === entry.from?.user && entry.time - before.time < 5 * 60_000;
}

/** What comes is seen by who looks at the end, and moves nobody who reads further up. */
function useStickToEnd(scroller: React.RefObject<HTMLDivElement | null>, entries: Entries): { onScroll(): void } {
  const isAtEnd = useRef(true);
  const before = useRef({ first: entries[0]?.key, height: 0 });
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const grewAbove = before.current.first !== entries[0]?.key && before.current.first !== undefined;
    if (isAtEnd.current) element.scrollTop = element.scrollHeight;
    else if (grewAbove) element.scrollTop += element.scrollHeight - before.current.height;
    before.current = { first: entries[0]?.key, height: element.scrollHeight };
  }, [scroller, entries]);
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const keep = new ResizeObserver(() => {
      if (isAtEnd.current) element.scrollTop = element.scrollHeight;
    });
    keep.observe(element);
    return () => keep.disconnect();
  }, [scroller]);
  return {
    onScroll: () => {
      const element = scroller.current;
      if (element !== null) isAtEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR;
    },
  };
}
