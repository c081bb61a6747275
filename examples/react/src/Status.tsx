import type { RoomStatus } from "@roomcast/client";
import { useRoom, useStatus } from "./chat";
import { useRenders } from "./renders";

const WORDS: Record<RoomStatus, string> = {
  idle: "Not connected",
  connecting: "Connecting …",
  connected: "Connected",
  reconnecting: "Connection lost, trying again …",
  offline: "Offline: what you send waits",
  failed: "Disconnected",
  left: "Left",
};

/** What is true of the connection, in words. */
export function Status() {
  const status = useStatus();
  const { failure } = useRoom();
  return (
    <p id="status" className="status" data-status={status} role="status" {...useRenders()}>
      {WORDS[status]}
      {status === "failed" && failure && ` (${failure.code.replaceAll("_", " ")})`}
    </p>
  );
}
