import { RoomcastProvider } from "@roomcast/client/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { RoomProvider } from "./chat";
import { client, room } from "./connection";
import "./style.css";

const root = document.getElementById("root");
if (root === null) throw new Error("the page has no #root");
document.documentElement.classList.toggle("renders", new URLSearchParams(location.search).has("renders"));

createRoot(root).render(
  <StrictMode>
    <RoomcastProvider client={client}>
      <RoomProvider name={room} rewind={50} presence={{ typing: false }}>
        <App />
      </RoomProvider>
    </RoomcastProvider>
  </StrictMode>,
);
