/** The page: a door that asks for a name, then one room at a time, named by the address. */
import { watchAbsence } from "./absence.js";
import { dropNameFromAddress, nameInAddress, roomInAddress, settleAddress } from "./address.js";
import { Conversation } from "./conversation.js";
import { byId, el } from "./dom.js";
import type { Unread } from "./generated/chat.js";
import { watchDrawer } from "./drawer.js";
import { cleanName, forgetThisTab, identify, lastName, nameOfThisTab, type Identity } from "./identity.js";
import { avatar, hueFor, person } from "./people.js";
import { account, createClient, hasAccounts, RoomcastError } from "./roomcast.js";
import { drawRooms, otherRooms, visit, watchNewRoom } from "./rooms-view.js";
import { drawShare, watchShare } from "./share.js";
import { StatusView } from "./status-view.js";
import { toast } from "./toast.js";
import { Watch } from "./watch.js";
import { askName } from "./welcome.js";

let conversation: Conversation | undefined;
let watch: Watch | undefined;
/** In the room that is shown, while nobody looks. */
let unseen = 0;
let elsewhere: ReadonlyMap<string, Unread> = new Map();

/** Whoever gives the tokens knows who this is. */
async function beginWithAccount(): Promise<void> {
  try {
    const { user, info } = await account();
    byId("change-name", HTMLButtonElement).hidden = true;
    begin({ ...person(user, info), moderates: false });
  } catch (error) {
    const isKnown = error instanceof RoomcastError && error.code === "unauthorized";
    askName(roomInAddress(), "", () => undefined);
    byId("join", HTMLFormElement).hidden = true;
    byId("welcome-lead", HTMLElement).textContent = isKnown
      ? "Nobody is logged in here. Log in, and come back."
      : "Who you are could not be found out: the server did not answer as it should. Reload this page in a while.";
  }
}

function begin(me: Identity): void {
  const client = createClient(me);
  const status = new StatusView({ again: () => conversation?.enter(), rename: leaveForDoor });
  byId("me", HTMLElement).replaceChildren(avatar(me), el("span", { class: "name" }, me.name));
  byId("chat", HTMLElement).hidden = false;
  watch = new Watch(me, (unread, mention) => {
    elsewhere = unread;
    drawRooms(roomInAddress(), elsewhere);
    drawTitle();
    if (mention) toast(`You are mentioned in #${mention.room}:`, mention.text, () => (location.hash = mention.room));
  });

  const enter = (): void => {
    const room = roomInAddress();
    if (conversation?.id === room) return;
    conversation?.close();
    status.reset();
    settleAddress(room);
    light(room);
    visit(room);
    watch?.follow(otherRooms(room));
    drawRooms(room, elsewhere);
    drawShare(room, me.name, [me.name]);
    conversation = new Conversation(client, room, me, status, (count) => {
      unseen = count;
      drawTitle();
    });
    conversation.enter();
  };
  window.onhashchange = enter;
  enter();
}

/** Back to the door, to come in under another name. */
function leaveForDoor(): void {
  conversation?.close();
  conversation = undefined;
  watch?.close();
  elsewhere = new Map();
  byId("chat", HTMLElement).hidden = true;
  forgetThisTab();
  dropNameFromAddress();
  showDoor();
}

function showDoor(): void {
  const draw = (): void => {
    light(roomInAddress());
    askName(roomInAddress(), lastName(), (name) => begin(identify(name)));
  };
  window.onhashchange = draw;
  draw();
}

/** Each room has a light of its own, in which the whole page stands. */
function light(room: string): void {
  document.documentElement.style.setProperty("--hue", String(hueFor(room)));
  byId("room-name", HTMLElement).textContent = room;
  unseen = 0;
  drawTitle();
}

/** What is unread here and elsewhere stands in the title, and a dot where somebody is mentioned. */
function drawTitle(): void {
  const room = roomInAddress();
  const others = [...elsewhere].filter(([id]) => id !== room).map(([, unread]) => unread);
  const count = others.reduce((sum, { unread }) => sum + unread, unseen);
  const isMentioned = others.some(({ mentions }) => mentions > 0);
  document.title = `${count > 0 ? `(${isMentioned ? "@" : ""}${count}) ` : ""}#${room} · Roomcast`;
}

// Closing the tab is leaving, which the room need not wait to find out. A page that comes back goes in again.
window.addEventListener("pagehide", () => {
  conversation?.leave().catch(() => undefined);
  watch?.close();
});
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  conversation?.enter();
  watch?.follow(otherRooms(roomInAddress()));
});
// What waits for a connection goes with the page: the browser asks before.
window.addEventListener("beforeunload", (event) => {
  if (conversation !== undefined && conversation.unsent.length > 0) event.preventDefault();
});
watchAbsence((away) => void conversation?.room.presence.set({ away }).catch(() => undefined));

watchDrawer();
watchNewRoom();
watchShare();
byId("change-name", HTMLButtonElement).onclick = leaveForDoor;
byId("skip", HTMLButtonElement).onclick = () => byId("text", HTMLTextAreaElement).focus();

const name = cleanName(nameInAddress()) || nameOfThisTab();
if (hasAccounts) void beginWithAccount();
else if (name === "") showDoor();
else begin(identify(name));
