/** The door: asks for a name. */
import { byId } from "./dom.js";
import { cleanName } from "./identity.js";

const ROOM_SHOWN_MAX = 48;

/** Shows the door of `room` until somebody has said a name. */
export function askName(room: string, suggestion: string, enter: (name: string) => void): void {
  const door = byId("welcome", HTMLElement);
  const input = byId("name", HTMLInputElement);
  byId("welcome-room", HTMLElement).textContent = room.length > ROOM_SHOWN_MAX ? `#${room.slice(0, ROOM_SHOWN_MAX)}…` : `#${room}`;
  input.value = suggestion;
  door.hidden = false;
  input.focus();
  input.select();
  input.oninput = () => input.setCustomValidity("");
  byId("join", HTMLFormElement).onsubmit = (event) => {
    event.preventDefault();
    const name = cleanName(input.value);
    if (name === "") {
      input.setCustomValidity("A name is all it takes.");
      input.reportValidity();
      return;
    }
    door.hidden = true;
    enter(name);
  };
}
