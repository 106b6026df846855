/** Telephones beside the caller's: of the people whom lines ring, and of any number. */

import { byId, h, minutes, phoneNumber } from "./dom.js";
import { connect, keys, spokenKey, wordsOf } from "./line.js";
import { keyTone, speak } from "./sound.js";

/** What a telephone does when it rings. */
const RULES = {
  person: "rings until you answer",
  answer: "answers and presses 1",
  machine: "a voicemail box answers",
  decline: "is busy",
  ignore: "nobody answers",
};

/** Kept while this tab is open. */
const STORE = "telephones";

/** @type {Map<string, { element: Element, off: () => void }>} by number */
const telephones = new Map();

/** @param {(webhook: unknown, who: string) => void} showWebhook */
export function startTelephones(showWebhook) {
  const add = (number, name) => {
    if (telephones.has(number)) return;
    const telephone = makeTelephone(number, name, showWebhook, () => remove(number));
    telephones.set(number, telephone);
    byId("telephones").append(telephone.element);
    keep();
  };
  const remove = (number) => {
    const { element, off } = telephones.get(number);
    off();
    element.remove();
    telephones.delete(number);
    keep();
    byId("telephone-number").focus();
  };
  const keep = () => {
    const names = [...telephones].map(([number, { name }]) => ({ number, name }));
    sessionStorage.setItem(STORE, JSON.stringify(names));
  };
  const kept = JSON.parse(sessionStorage.getItem(STORE) ?? "[]");
  for (const { number, name } of kept) add(number, name);

  const field = byId("telephone-number");
  let known = [];
  field.addEventListener("focus", async () => {
    const response = await fetch("/api/telephones").catch(() => undefined);
    if (!response?.ok) return;
    known = await response.json();
    byId("known-telephones").replaceChildren(
      ...known.map(({ number, name }) => h("option", { value: number }, name)),
    );
  });
  byId("add-telephone").addEventListener("submit", (event) => {
    event.preventDefault();
    field.value = field.value.replace(/[\s()-]/g, "");
    if (!field.reportValidity()) return;
    const number = field.value;
    add(number, known.find((each) => each.number === number)?.name ?? phoneNumber(number));
    event.target.reset();
  });
  byId("add-people").addEventListener("click", async () => {
    const response = await fetch("/api/telephones").catch(() => undefined);
    known = response?.ok ? await response.json() : [];
    for (const { number, name } of known) add(number, name);
    byId("no-people").hidden = known.length > 0;
  });
}

function makeTelephone(number, name, showWebhook, remove) {
  // A group's numbers have one name.
  const whom = name === phoneNumber(number) ? name : `${name}, ${phoneNumber(number)}`;
  let startedAt = 0;
  let hush = () => {};
  const state = h("p", { class: "state", role: "status" }, "Off");
  const time = h("p", { class: "time", "aria-hidden": "true" });
  const words = h("p", { class: "heard" });
  const choices = h("div", { class: "choices" });
  const keypad = h("div", { class: "keypad", role: "group", "aria-label": `Keypad of ${whom}` });
  const button = (text, kind, does) =>
    h("button", { type: "button", class: `quiet ${kind}`, onclick: () => send(does) }, text);
  const rule = h(
    "select",
    { onchange: () => send({ type: "rule", does: rule.value }) },
    Object.entries(RULES).map(([value, text]) => h("option", { value }, `When called: ${text}`)),
  );
  const element = h(
    "section",
    { class: "telephone", "aria-label": `Telephone of ${whom}`, "data-state": "off" },
    h(
      "header",
      {},
      h("h3", {}, name),
      name !== phoneNumber(number) && h("span", { class: "number" }, phoneNumber(number)),
      h("button", {
        type: "button",
        class: "remove",
        "aria-label": `Take away the telephone of ${whom}`,
        onclick: remove,
      }, "×"),
    ),
    h("div", { class: "screen" }, state, time, words),
    choices,
    keypad,
    h("label", {}, h("span", { class: "hidden" }, `What the telephone of ${whom} does`), rule),
  );
  const press = (key) => {
    keyTone(key);
    hush();
    send({ type: "key", key });
  };
  keypad.append(
    ...keys(press, (key) => `${spokenKey(key)} on the telephone of ${whom}`),
  );

  function show(is, text, ...buttons) {
    const hadFocus = element.contains(document.activeElement);
    element.dataset.state = is;
    state.textContent = text;
    choices.replaceChildren(...buttons);
    keypad.hidden = is !== "call";
    if (hadFocus && !element.contains(document.activeElement)) buttons[0]?.focus();
  }

  function idle(text = "Ready") {
    hush();
    hush = () => {};
    words.textContent = "";
    startedAt = 0;
    time.textContent = "";
    show("idle", text);
  }

  function hear(message) {
    switch (message.type) {
      case "on":
        send({ type: "rule", does: rule.value });
        return idle();
      case "rings":
        words.textContent = `${phoneNumber(message.from)} calls.`;
        return show(
          "rings",
          "Ringing",
          button("Answer", "go", { type: "pick-up" }),
          button("Decline", "", { type: "decline" }),
        );
      case "missed":
        return idle(`Was called: ${RULES[message.does]}`);
      case "picked-up":
        startedAt = Date.now();
        words.textContent = "";
        return show("call", "Answered", button("Hang up", "stop", { type: "hangup" }));
      case "talk":
        words.textContent = "";
        state.textContent = "Talking";
        return;
      case "ask":
        return ask(message.question);
      case "event":
        return happens(message.event);
      case "webhook":
        return showWebhook(message.webhook, whom);
      case "lost":
        words.textContent = `“${message.what}” was lost: nobody listens for it now.`;
        return;
      case "over":
        return idle("Call ended");
    }
  }

  function ask(question) {
    hush();
    hush = () => {};
    if (question?.ask === "hear") {
      words.textContent = wordsOf(question);
      state.textContent = "Hears";
      hush = speak(question, false, () => send({ type: "heard", nth: question.nth }));
    } else if (question?.ask === "gather") {
      state.textContent = `Press a key, within ${question.timeout} seconds`;
    } else if (question?.ask === "record") {
      send({ type: "silence" });
    }
  }

  function happens(event) {
    if (event.kind === "keys") words.textContent = `Pressed ${event.digits}`;
    if (event.kind === "bridged") {
      state.textContent = "Talking";
      words.textContent = "Press * to transfer.";
    }
    if (event.kind === "dial") state.textContent = `Rings ${phoneNumber(event.number)}`;
    if (event.kind === "talking") state.textContent = `Talking to ${phoneNumber(event.number)}`;
  }

  const { send, close } = connect((message) => hear(message), () => {
    send({ type: "on", number });
  }, () => show("off", "Off: the local server does not answer"));
  const timer = setInterval(() => {
    if (startedAt > 0) time.textContent = minutes((Date.now() - startedAt) / 1000);
  }, 500);
  show("off", "Off");
  return {
    element,
    name,
    off() {
      clearInterval(timer);
      hush();
      close();
    },
  };
}
