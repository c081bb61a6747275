/** The page: a door that asks for a name, then one room at a time, named by the address. */
import { dropNameFromAddress, nameInAddress, roomInAddress, settleAddress } from "./address.js";
import { Conversation } from "./conversation.js";
import { byId } from "./dom.js";
import { watchDrawer } from "./drawer.js";
import { cleanName, forgetThisTab, identify, lastName, nameOfThisTab } from "./identity.js";
import { avatar, hueFor } from "./people.js";
import { createClient } from "./roomcast.js";
import { drawRooms, visit, watchNewRoom } from "./rooms-view.js";
import { drawShare, watchShare } from "./share.js";
import { StatusView } from "./status-view.js";
import { askName } from "./welcome.js";

let conversation: Conversation | undefined;
let unread = 0;

function begin(name: string): void {
  const me = identify(name);
  const client = createClient(me);
  const status = new StatusView({ again: () => conversation?.enter(), rename: leaveForDoor });
  byId("me", HTMLElement).replaceChildren(avatar(me), me.name);
  byId("chat", HTMLElement).hidden = false;

  const enter = (): void => {
    const room = roomInAddress();
    if (conversation?.id === room) return;
    conversation?.close();
    status.reset();
    settleAddress(room);
    light(room);
    visit(room);
    drawRooms(room);
    drawShare(room, me.name, [me.name]);
    conversation = new Conversation(client, room, me, status, () => countUnread(room));
    conversation.enter();
  };
  window.onhashchange = enter;
  enter();
}

/** Back to the door, to come in under another name. */
function leaveForDoor(): void {
  conversation?.close();
  conversation = undefined;
  byId("chat", HTMLElement).hidden = true;
  forgetThisTab();
  dropNameFromAddress();
  showDoor();
}

function showDoor(): void {
  const draw = (): void => {
    light(roomInAddress());
    askName(roomInAddress(), lastName(), begin);
  };
  window.onhashchange = draw;
  draw();
}

/** Each room has a light of its own, in which the whole page stands. */
function light(room: string): void {
  document.documentElement.style.setProperty("--hue", String(hueFor(room)));
  byId("room-name", HTMLElement).textContent = room;
  unread = 0;
  titleFor(room);
}

function countUnread(room: string): void {
  unread += 1;
  titleFor(room);
}

function titleFor(room: string): void {
  document.title = `${unread > 0 ? `(${unread}) ` : ""}#${room} · Roomcast`;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  titleFor(roomInAddress());
});
// Closing the tab is leaving, which the room need not wait to find out. A page that comes back goes in again.
window.addEventListener("pagehide", () => void conversation?.leave().catch(() => undefined));
window.addEventListener("pageshow", (event) => event.persisted && conversation?.enter());

watchDrawer();
watchNewRoom();
watchShare();
byId("change-name", HTMLButtonElement).onclick = leaveForDoor;
byId("skip", HTMLButtonElement).onclick = () => byId("text", HTMLTextAreaElement).focus();

const name = cleanName(nameInAddress()) || nameOfThisTab();
if (name === "") showDoor();
else begin(name);
