import { byId, h, minutes, phoneNumber } from "./dom.js";
import { connect, keys, wordsOf } from "./line.js";
import {
  beep,
  canRecognise,
  canRecord,
  keyTone,
  onVoice,
  recognise,
  record,
  speak,
} from "./sound.js";
import { startTelephones } from "./telephones.js";

/** @type {ReturnType<typeof connect>} */
let line;
/** What the line waits for now. */
let question = null;
let onCall = false;
let talking = false;
/** The page plays the other side of the talk too. */
let playsOther = false;
let startedAt = 0;
/** Ends the prompt that is spoken. */
let hush = () => {};
/** The message that is being recorded from the microphone. */
let recording;
/** Listens to words, for a step of the call or for a message's transcript. */
let recogniser;
/** In which the line spoke last, and expects to be spoken to. */
let language = "en-US";

const send = (message) => line.send(message);

function start() {
  byId("keypad").append(...keys(press));
  line = connect(hear, switchOn, () => {
    if (onCall) over("Cut off", "The local server ended the connection.");
  });
  byId("from").addEventListener("change", switchOn);
  startTelephones(showWebhook);
  byId("call").addEventListener("click", call);
  byId("hangup").addEventListener("click", hangUp);
  for (const id of ["from", "to"]) {
    byId(id).addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      // Its key press would be the one of "Hang up", which has the focus then.
      event.preventDefault();
      call();
    });
  }
  byId("to").addEventListener("focus", offerLines);
  byId("say").addEventListener("submit", (event) => {
    event.preventDefault();
    sayWords(byId("words").value);
  });
  byId("words").addEventListener("input", ({ target }) => {
    send({ type: target.value === "" ? "quiet" : "speaking" });
  });
  byId("speak").hidden = !canRecognise;
  byId("speak").addEventListener("click", listen);
  onVoice(() => byId("voice-field").hidden = false);
  byId("voice").addEventListener("change", () => {
    if (question?.ask === "hear") ask(question);
  });
  addEventListener("keydown", ({ key, target, ctrlKey, altKey, metaKey, repeat }) => {
    if (!onCall || ctrlKey || altKey || metaKey || repeat) return;
    if (target.closest("input, textarea")) return;
    if (/^[0-9*#]$/.test(key)) press(key);
  });
  setInterval(() => {
    if (onCall) byId("display-time").textContent = minutes((Date.now() - startedAt) / 1000);
  }, 500);
}

// ---- actions ------------------------------------------------------------------------------------

/** The numbers that can be called besides the main line's. */
async function offerLines() {
  const response = await fetch("/api/lines").catch(() => undefined);
  if (!response?.ok) return;
  const main = byId("to").defaultValue;
  const lines = await response.json();
  const options = [{ number: main }, ...lines.filter(({ number }) => number !== main)];
  byId("known-lines").replaceChildren(
    ...options.map(({ number, flow, version }) =>
      h("option", { value: number }, flow === undefined ? null : `${flow}, version ${version}`)
    ),
  );
}

/** The caller's telephone rings too, when its number is called. */
function switchOn() {
  const number = byId("from").value.replace(/[\s()-]/g, "");
  if (number.startsWith("+") && byId("from").checkValidity()) send({ type: "on", number });
}

function call() {
  const [from, to] = [byId("from"), byId("to")];
  for (const input of [from, to]) input.value = input.value.replace(/[\s()-]/g, "");
  if (!from.reportValidity() || !to.reportValidity() || onCall) return;
  if (!line.isOpen()) return display("No connection", "The local server does not answer.");
  clear();
  setOnCall(true);
  display("Calling…", "The line is ringing.");
  switchOn();
  send({ type: "call", from: from.value, to: to.value });
  byId("hangup").focus();
}

function clear() {
  byId("lines").replaceChildren();
  byId("webhooks").replaceChildren();
  byId("no-webhooks").hidden = false;
  byId("display-time").textContent = "";
}

async function hangUp() {
  hush();
  if (!recording) stopListening();
  // A caller who hangs up while speaking has left a message.
  if (recording) return await leaveRecording("hangup");
  if (question?.ask === "record" && typedMessage() !== "") return leaveTyped("hangup");
  send({ type: "hangup" });
}

function press(key) {
  const button = document.querySelector(`.key[data-key="${key}"]`);
  button.classList.add("down");
  setTimeout(() => button.classList.remove("down"), 130);
  keyTone(key);
  if (!onCall) return;
  if (question?.ask === "record") {
    if (!question.finishOnKey.includes(key)) return;
    return recording ? leaveRecording(key) : leaveTyped(key);
  }
  interrupt();
  send({ type: "key", key });
}

function sayWords(text) {
  if (text.trim() === "") return;
  byId("words").value = "";
  // After the beep, words are the message.
  if (question?.ask === "record") {
    byId("message").value = `${typedMessage()} ${text}`.trim();
    return;
  }
  stopListening();
  interrupt();
  send({ type: "speech", text });
}

function listen() {
  if (recording) return;
  if (recogniser) return recogniser.finish();
  interrupt();
  byId("speak").ariaPressed = "true";
  send({ type: "speaking" });
  let words = "";
  recogniser = recognise({
    language,
    onWords(heard, isFinal) {
      words = byId("words").value = heard;
      send({ type: "speaking" });
      if (isFinal) sayWords(heard);
    },
    onEnd(fault) {
      stopListening();
      // Some browsers never call their last guess final.
      if (fault === undefined) return sayWords(words);
      write("error", `${fault} Type the words instead, or press a key.`);
      // The prompt that made room for words counts as heard; where the line waits, silence does.
      if (question?.ask === "hear") send({ type: "heard", nth: question.nth });
      else send({ type: "quiet" });
    },
  });
}

function stopListening() {
  recogniser?.drop();
  recogniser = undefined;
  byId("speak").ariaPressed = "false";
}

/** Stops a prompt that listens when the person answers. */
function interrupt() {
  if (question?.ask === "hear" && question.gathering) hush();
}

// ---- messages from the line ---------------------------------------------------------------------

function hear(message) {
  switch (message.type) {
    case "call":
      startedAt = Date.now();
      display(`Calling ${phoneNumber(message.to)}`, "The line is ringing.");
      return;
    case "rings":
      return ring(message);
    case "picked-up":
      startedAt = Date.now();
      return display("Answered", "One moment.");
    case "talk":
      talking = true;
      display("Connected", "The keypad can be used.");
      return showPrompt();
    case "event":
      return happens(message.event);
    case "webhook":
      return showWebhook(message.webhook);
    case "ask":
      return ask(message.question);
    case "pressed":
      return display("Listening", `Keys so far: ${message.digits}`);
    case "lost":
      return write("note", `“${message.what}” was lost: nobody listens for it now.`);
    case "problem":
      return write("error", message.text);
    case "over": {
      const { reached, seconds } = message.outcome;
      if (!onCall) return;
      byId("display-time").textContent = minutes(seconds);
      return over("Call ended", `You ${reached.replace(/\+\d+/, phoneNumber)}.`);
    }
  }
}

/** The caller's own number is called. */
function ring({ from }) {
  clear();
  startedAt = Date.now();
  setOnCall(true);
  display("Ringing", `${phoneNumber(from)} calls you.`);
  const answer = (type) => () => {
    showPrompt();
    send({ type });
  };
  showPrompt(
    h("p", {}, h("strong", {}, `${phoneNumber(from)} calls you.`)),
    h(
      "div",
      { class: "choices" },
      choice("Answer", "go", answer("pick-up")),
      choice("Decline", "", answer("decline")),
    ),
  );
}

function happens(event) {
  switch (event.kind) {
    case "say":
      return write("them", event.text);
    case "play":
      return write("them", wordsOf({ audio: true, text: event.url }));
    case "keys":
      return write("me", event.digits, event.lost ? "nobody listens for keys" : "pressed");
    case "speech":
      return write("me", event.text, event.lost ? "nobody listens" : "said");
    case "prompt":
      return write("me", event.text, "said");
    case "session":
      return event.error === undefined
        ? undefined
        : write("error", `The socket of the talk ended: ${event.error}.`);
    case "silence":
      return write("note", "You stay silent.");
    case "dial": {
      const recorded = event.record === "do-not-record" ? "not recorded" : "recorded if answered";
      return write("note", `Rings ${event.numbers.map(phoneNumber).join(", ")} – ${recorded}.`);
    }
    case "queued":
      return write("note", `You hold, as number ${event.position} in the queue.`);
    case "bridged":
    case "talking":
      // Cuts off what was heard while holding.
      hush();
      question = null;
      talking = true;
      display("Connected", "The keypad can be used.");
      showPrompt();
      return write(
        "note",
        event.number === undefined
          ? "Somebody takes the call."
          : `${phoneNumber(event.number)} takes the call.`,
      );
    case "dequeued":
      talking = false;
      showPrompt();
      return write("note", LEFT[event.result] ?? `You left the queue: ${event.result}.`);
    case "whisper":
      return write("note", `They hear, and you do not: “${event.text}”`);
    case "dialled":
      talking = playsOther = false;
      showPrompt();
      return write(
        "note",
        event.status === "completed"
          ? event.talkSeconds === 0
            ? "Nobody took the call."
            : `You talked for ${minutes(event.talkSeconds)}.`
          : `Not reached: ${event.status}.`,
      );
    case "record":
      return write("note", `Recording, ${event.maxLength} seconds at most.`);
    case "recorded":
      return write("note", `A recording of ${event.seconds} seconds was kept.`);
    case "reject":
      return write("note", `The line rejects the call: ${event.reason}.`);
    case "error":
    case "warning":
      return write("error", `${event.kind} ${event.code}: ${event.message}`);
    case "fallback":
      return write("note", "Twilio requests the fallback address.");
    case "hangup":
      return write("note", event.by === "caller" ? "You hung up." : "The line hung up.");
  }
}

/** How a caller's holding ended. */
const LEFT = {
  bridged: "The talk is over.",
  leave: "You left the queue.",
  hangup: "You left the queue.",
  "queue-full": "The queue is full.",
};

function ask(next) {
  hush();
  hush = () => {};
  stopListening();
  question = next;
  language = next?.language ?? language;
  if (next === null) {
    showPrompt();
    if (!talking) display("One moment", "The line decides.");
    return;
  }
  switch (next.ask) {
    case "hear": {
      byId("display-words").textContent = wordsOf(next);
      display("Speaking", next.gathering ? "A key or words interrupt." : "Keys are not heard now.");
      const { nth } = next;
      const heard = () => send({ type: "heard", nth });
      hush = speak(next, byId("voice").checked, heard);
      const skip = () => {
        hush();
        heard();
      };
      return showPrompt(
        h("button", { type: "button", class: "quiet", onclick: skip }, "Skip this prompt"),
      );
    }
    case "gather":
      display("Listening", gatherHint(next));
      return showPrompt(
        h(
          "button",
          { type: "button", class: "quiet", onclick: () => send({ type: "silence" }) },
          "Stay silent",
        ),
      );
    case "dial":
      display("Ringing", `${phoneNumber(next.number)}, ${next.timeout} seconds at most.`);
      return showPrompt(
        h(
          "p",
          {},
          h("strong", {}, `${phoneNumber(next.number)} rings.`),
          " You are that person too:",
        ),
        h(
          "div",
          { class: "choices" },
          choice("Answer", "go", () => answerDial("answer")),
          choice("A voicemail box answers", "", () => answerDial("machine")),
          choice("Busy", "", () => answerDial("decline")),
          choice("Nobody answers", "", () => answerDial("ignore")),
        ),
      );
    case "record":
      return askMessage(next);
  }
}

function gatherHint({ dtmf, speech, timeout }) {
  const ways = [dtmf && "press a key", speech && "say it"].filter(Boolean).join(" or ");
  return `${ways.charAt(0).toUpperCase()}${ways.slice(1)}, within ${timeout} seconds.`;
}

const choice = (words, kind, onclick) =>
  h("button", { type: "button", class: `quiet ${kind}`, onclick }, words);

function answerDial(does) {
  const number = phoneNumber(question?.number);
  send({ type: "callee", does });
  if (does !== "answer" && does !== "machine") return;
  talking = playsOther = does === "answer";
  question = null;
  display("Connected", `You talk to ${number}.`);
  showPrompt();
}

// ---- voicemail ----------------------------------------------------------------------------------

function askMessage({ playBeep, maxLength }) {
  if (playBeep) beep();
  display("After the beep", `Leave a message, ${maxLength} seconds at most.`);
  const words = h("textarea", {
    id: "message",
    rows: 2,
    maxlength: 2000,
    placeholder: "Hello, please call me back about…",
  });
  const problem = h("p", { class: "problem", role: "alert" });
  const microphone = choice("Record with the microphone", "go", async () => {
    microphone.disabled = true;
    try {
      recording = await record();
    } catch (error) {
      microphone.hidden = true;
      problem.textContent = `${error.message} Leave the sample instead.`;
      return;
    }
    if (question?.ask !== "record") return dropRecording();
    display("Recording", "Press # or “Done” to end, or hang up.");
    if (canRecognise) {
      recogniser = recognise({
        language,
        lasting: true,
        onWords: (heard) => words.value = heard,
        onEnd(fault) {
          if (fault === undefined) return;
          problem.textContent = "This browser does not transcribe speech. " +
            "Your voice is recorded; type the words too if you want a transcript.";
        },
      });
    }
    const limit = setTimeout(() => leaveRecording("maxlength"), maxLength * 1000);
    recording.forget = () => clearTimeout(limit);
    const done = choice("Done (#)", "go", () => leaveRecording("#"));
    choices.replaceChildren(h("span", { class: "recording" }, "Recording"), done);
    done.focus();
  });
  const sample = choice(
    "Leave a sample recording",
    canRecord ? "" : "go",
    () => leaveTyped("#"),
  );
  const choices = h(
    "div",
    { class: "choices" },
    canRecord && microphone,
    sample,
    choice("Stay silent", "", () => send({ type: "silence" })),
  );
  showPrompt(
    h("label", { for: "message" }, "What you say ", h("small", {}, "becomes the transcript")),
    words,
    problem,
    choices,
  );
}

const typedMessage = () => byId("message")?.value.trim() ?? "";

/** Leaves what was typed, with a sample in place of a voice. */
function leaveTyped(end) {
  const transcript = typedMessage();
  // As long as it would take to say it, and long enough to be transcribed.
  const seconds = Math.min(Math.max(3, Math.ceil(transcript.split(/\s+/).length / 2.5)), 15);
  write("note", `A sample of ${seconds} seconds replaces your voice.`);
  send({ type: "message", seconds, end, transcript });
  display("Leaving the message", `A sample of ${seconds} seconds.`);
  showPrompt();
}

async function leaveRecording(end) {
  const { stop, forget } = recording;
  recording = undefined;
  stopListening();
  forget();
  const transcript = typedMessage();
  showPrompt();
  const { blob, seconds, type } = await stop();
  line.sendBytes(await blob.arrayBuffer());
  send({ type: "message", seconds, end, transcript, audio: type });
}

function dropRecording() {
  stopListening();
  recording?.forget?.();
  recording?.drop();
  recording = undefined;
}

// ---- display ------------------------------------------------------------------------------------

function setOnCall(value) {
  onCall = value;
  byId("phone").classList.toggle("on-call", value);
  byId("call").disabled = value;
  byId("from").disabled = byId("to").disabled = value;
  byId("hangup").disabled = !value;
  for (const id of ["words", "speak", "send"]) byId(id).disabled = !value;
}

function over(title, hint) {
  hush();
  hush = () => {};
  dropRecording();
  question = null;
  talking = playsOther = false;
  const hadFocus = byId("phone").contains(document.activeElement);
  setOnCall(false);
  showPrompt();
  display(title, hint);
  // Callbacks go on for a while: their webhooks are still to be seen.
  if (hadFocus && !byId("phone").hidden) byId("call").focus();
}

function display(title, hint) {
  if (question?.ask !== "hear") byId("display-words").textContent = "";
  byId("display-line").textContent = title;
  byId("display-hint").textContent = hint;
}

/** What can be done besides keys and words; while talking, that the other person hangs up. */
function showPrompt(...children) {
  const prompt = byId("prompt");
  const hadFocus = prompt.contains(document.activeElement);
  if (children.length === 0 && talking) {
    children = [
      h("p", {}, h("strong", {}, "You are talking.")),
      playsOther && h(
        "div",
        { class: "choices" },
        choice("The other person hangs up", "", () => send({ type: "callee-hangup" })),
      ),
    ];
  }
  prompt.hidden = children.length === 0;
  prompt.replaceChildren(...children.filter(Boolean));
  byId("lines").scrollTop = byId("lines").scrollHeight;
  const next = prompt.querySelector("textarea, button");
  if (next && (hadFocus || next.matches("textarea"))) next.focus();
  else if (hadFocus) byId("hangup").focus();
}

function write(kind, text, note) {
  const speaker = kind === "them" && h("span", { class: "hidden" }, "The line: ");
  const item = h("div", { class: kind }, h("p", {}, speaker, text), note && h("small", {}, note));
  append(byId("lines"), item);
}

function append(list, item) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  list.append(item);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

/** @param {string} [who] whose telephone it is about, where it is not the caller's */
function showWebhook({ kind, method, path, attempt, status, ms, failure, params, twiml }, who) {
  byId("no-webhooks").hidden = true;
  const served = status >= 200 && status < 300;
  const [name, query] = path.replace("/functions/v1", "").split("?");
  const what = params.RecordingStatus ?? params.TranscriptionStatus ?? params.DialCallStatus ??
    params.CallStatus;
  const sent = h(
    "details",
    { class: "meta" },
    h("summary", {}, `${Object.keys(params).length} parameters`),
    h(
      "dl",
      {},
      Object.entries(params).map(([name, value]) =>
        h("div", {}, h("dt", {}, name), h("dd", {}, value))
      ),
    ),
  );
  append(
    byId("webhooks"),
    h(
      "li",
      { class: "webhook" },
      h(
        "p",
        { class: "request" },
        h("span", { class: "method" }, method),
        h("code", { class: "path" }, name, query && h("span", { class: "query" }, `?${query}`)),
        h("span", { class: `tag ${served ? "good" : "bad"}` }, String(status || failure)),
        h("span", { class: "time" }, `${ms.toFixed(0)} ms`),
      ),
      h(
        "p",
        { class: "note" },
        [
          who,
          kind === "twiml" ? "step" : `${kind} callback`,
          what,
          attempt > 0 && `retry ${attempt}`,
        ]
          .filter(Boolean).join(" · "),
      ),
      twiml && h("pre", { class: "twiml", tabindex: "0", "aria-label": "TwiML" }, coloured(twiml)),
      sent,
    ),
  );
}

/** Markup as coloured text: names, attributes and values each their own span. */
function coloured(xml) {
  return xml.split(/(<\/?[\w:.-]+|\/?>|[\w:.-]+="[^"]*")/).flatMap((piece) => {
    if (/^<\/?\w/.test(piece) || /^\/?>$/.test(piece)) return h("span", { class: "x-tag" }, piece);
    const attribute = /^([\w:.-]+=)("[^"]*")$/.exec(piece);
    if (attribute === null) return piece;
    return [
      h("span", { class: "x-name" }, attribute[1]),
      h("span", { class: "x-value" }, attribute[2]),
    ];
  });
}

start();
