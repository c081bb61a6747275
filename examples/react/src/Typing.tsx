import { shallowEqual } from "@roomcast/client/react";
import { useOthers } from "./chat";
import { useRenders } from "./renders";

/** Who else is typing. Its place is kept, so that nothing jumps. */
export function Typing() {
  const users = useOthers(
    (others) => [...new Set(others.filter(({ data }) => data?.typing).map(({ user }) => user))],
    shallowEqual,
  );
  const who = users.length > 2 ? "Several people" : users.join(" and ");
  return (
    <p id="typing" className="typing" aria-live="polite" {...useRenders()}>
      {users.length > 0 && (
        <>
          <span className="dots" aria-hidden="true">
            <i /> <i /> <i />
          </span>
          {who} {users.length === 1 ? "is" : "are"} typing
        </>
      )}
    </p>
  );
}
