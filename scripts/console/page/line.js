/** What all telephones of the page share: their keys, and the socket that connects them. */

import { h } from "./dom.js";

const LETTERS = {
  2: "ABC",
  3: "DEF",
  4: "GHI",
  5: "JKL",
  6: "MNO",
  7: "PQRS",
  8: "TUV",
  9: "WXYZ",
  0: "+",
};

export const spokenKey = (key) => key === "*" ? "Star" : key === "#" ? "Pound" : key;

/** What a telephone shows of a prompt: its words, or which audio plays. */
export function wordsOf({ audio, text }) {
  if (!audio) return text;
  return text.endsWith("event=ringing") ? "♪ It rings." : `♪ ${text}`;
}

/** The twelve keys. */
export const keys = (press, labelOf = spokenKey) =>
  [..."123456789*0#"].map((key) =>
    h(
      "button",
      {
        type: "button",
        class: "key",
        "data-key": key,
        "data-letters": LETTERS[key] ?? "",
        "aria-label": labelOf(key),
        onclick: () => press(key),
      },
      key,
    )
  );

/** Milliseconds until a lost connection is tried again. */
const AGAIN = 2000;

/**
 * Connects a telephone, again whenever the local server is back. What is sent before that is lost.
 *
 * @param {(message: any) => void} hear
 * @param {() => void} on
 * @param {() => void} off
 */
export function connect(hear, on, off) {
  let socket;
  let isClosed = false;
  const open = () => {
    if (isClosed) return;
    socket = new WebSocket(`${location.origin.replace("http", "ws")}/api/phone`);
    socket.onopen = on;
    socket.onmessage = ({ data }) => hear(JSON.parse(data));
    socket.onclose = () => {
      if (isClosed) return;
      off();
      setTimeout(open, AGAIN);
    };
  };
  open();
  const isOpen = () => socket?.readyState === WebSocket.OPEN;
  return {
    isOpen,
    send: (message) => isOpen() && socket.send(JSON.stringify(message)),
    sendBytes: (bytes) => isOpen() && socket.send(bytes),
    close() {
      isClosed = true;
      socket?.close();
    },
  };
}
