import { useEffect, useRef, useState, type FormEvent, type KeyboardEvent } from "react";
import { useMessages, useMyPresence } from "./chat";
import { useRenders } from "./renders";

/** After so long without a key, somebody has stopped typing. */
const TYPING_MS = 3_000;

export function Composer() {
  const [text, setText] = useState("");
  const publish = useMessages((messages) => messages.publish);
  const tell = useTyping();

  const send = (event: FormEvent): void => {
    event.preventDefault();
    if (text.trim() === "") return;
    publish("message", { text: text.trim() });
    setText("");
    tell(false);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) send(event);
  };
  return (
    <form id="composer" className="composer" onSubmit={send} {...useRenders()}>
      <textarea
        value={text}
        rows={1}
        placeholder="Say something"
        aria-label="Message"
        autoFocus
        onChange={({ target }) => {
          setText(target.value);
          tell(target.value !== "");
        }}
        onKeyDown={onKeyDown}
      />
      <button type="submit" disabled={text.trim() === ""}>
        Send
      </button>
    </form>
  );
}

/** Shows the others that we type, and that we have stopped. Told when it changes, not at each key. */
function useTyping(): (typing: boolean) => void {
  const [, setPresence] = useMyPresence();
  const shown = useRef(false);
  const timer = useRef<number>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const show = (typing: boolean): void => {
    if (shown.current === typing) return;
    shown.current = typing;
    void setPresence({ typing });
  };
  return (typing) => {
    clearTimeout(timer.current);
    show(typing);
    if (typing) timer.current = window.setTimeout(() => show(false), TYPING_MS);
  };
}
