import { Composer } from "./Composer";
import { MessageList } from "./MessageList";
import { People } from "./People";
import { useRenders } from "./renders";
import { room } from "./connection";
import { Status } from "./Status";
import { Typing } from "./Typing";

/** The page. It reads nothing that changes, and so is rendered once. */
export function App() {
  return (
    <main className="app" {...useRenders()}>
      <header>
        <div>
          <h1>{room.replace("chat:", "#")}</h1>
          <Status />
        </div>
        <People />
      </header>
      <MessageList />
      <footer>
        <Typing />
        <Composer />
      </footer>
    </main>
  );
}
