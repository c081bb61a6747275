import { shallowEqual } from "@roomcast/client/react";
import { Avatar } from "./Avatar";
import { usePresence } from "./chat";
import { useRenders } from "./renders";

const SHOWN_MAX = 5;

/** Who is here: each user once, however many tabs. Who types is no matter of this. */
export function People() {
  const users = usePresence((members) => [...new Set(members.map(({ user }) => user))].sort(), shallowEqual);
  return (
    <div id="people" className="people" aria-label={`${users.length} here: ${users.join(", ")}`} role="img" {...useRenders()}>
      {users.slice(0, SHOWN_MAX).map((user) => (
        <Avatar key={user} user={user} />
      ))}
      {users.length > SHOWN_MAX && <span className="avatar more">+{users.length - SHOWN_MAX}</span>}
      <span className="count">{users.length} here</span>
    </div>
  );
}
