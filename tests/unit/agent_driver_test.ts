// The driver of a talk: a socket, models and rows in memory, and isolates that die.

import { assertEquals } from "@std/assert/equals.js";
import {
  type RelaySocket,
  serveTalk,
  type Talk,
  type TalkDeps,
} from "../../supabase/functions/_shared/agent/driver.ts";
import type { Memory, Turn } from "../../supabase/functions/_shared/agent/session.ts";
import type { Model } from "../../supabase/functions/_shared/agent/models/model.ts";
import { agentWords } from "../../supabase/functions/_shared/agent/words.ts";
import { NO_MEMORY, SETTING } from "../support/agent.ts";

const CALL_SID = `CA${"0".repeat(31)}1`;
const { says } = agentWords("en-US").words;

/** A socket whose other end is the test. */
class FakeSocket implements RelaySocket {
  onopen: RelaySocket["onopen"] = null;
  onmessage: RelaySocket["onmessage"] = null;
  onclose: RelaySocket["onclose"] = null;
  onerror: RelaySocket["onerror"] = null;
  readyState: 0 | 1 | 2 | 3 = 1;
  // deno-lint-ignore no-explicit-any
  readonly sent: any[] = [];
  closedWith: string | undefined;

  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }

  close(_code?: number, reason?: string): void {
    this.closedWith = reason ?? "";
    this.end();
  }

  /** The peer is gone. */
  end(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.call(this as never, new CloseEvent("close"));
  }

  frame(frame: unknown): void {
    this.onmessage?.call(
      this as never,
      new MessageEvent("message", { data: JSON.stringify(frame) }),
    );
  }

  setup(callSid = CALL_SID): void {
    this.frame({ type: "setup", sessionId: `VX${"0".repeat(32)}`, callSid });
  }

  says(voicePrompt: string): void {
    this.frame({ type: "prompt", voicePrompt, last: true });
  }

  get spoken(): string[] {
    return this.sent.filter(({ type, token }) => type === "text" && token.trim() !== "")
      .map(({ token }) => token.trim());
  }
}

/** Rows in memory. */
class FakeDatabase {
  readonly turns: Turn[] = [];
  readonly ends: string[] = [];
  /** Requests that fail from now on. */
  failing = 0;
  sessions = 0;
  isOpen = false;

  open(): Promise<Memory> {
    if (this.failing > 0) {
      this.failing--;
      return Promise.reject(new Error("away"));
    }
    this.isOpen = true;
    const entries = this.turns.flatMap(({ kind, heard_text: text }): Memory["entries"] =>
      (kind === "caller" || kind === "agent") && text ? [{ role: kind, text }] : []
    );
    const moved = this.ends.at(-1) === "resume";
    return Promise.resolve({ ...NO_MEMORY, entries, sessions: this.sessions++, moved });
  }

  record(_session: string, turns: readonly Turn[], end?: { outcome: string }): Promise<void> {
    if (this.failing > 0) {
      this.failing--;
      return Promise.reject(new Error("away"));
    }
    // As the database does: what has no session is of an erased call.
    if (!this.isOpen) return Promise.resolve();
    this.turns.push(...turns);
    if (end !== undefined) this.ends.push(end.outcome);
    return Promise.resolve();
  }

  answer() {
    return Promise.resolve({ ok: true as const, entries: [] });
  }

  hours() {
    return Promise.resolve({ ok: true as const, calendars: [] });
  }
}

/** Answers each prompt with a sentence of its own, and says goodbye to "bye". */
const model: Model = async function* ({ entries }) {
  const last = entries.at(-1);
  if (last?.role === "caller" && last.text === "bye") {
    yield { kind: "call", call: { id: "1", name: "end_call", arguments: "{}" } };
  } else if (last?.role === "caller") {
    yield { kind: "delta", text: `About ${last.text}: ` };
    yield { kind: "delta", text: `we know of ${last.text} much. And that is all of it.` };
  }
  yield { kind: "finished", usage: { input: 1, output: 1 } };
};

function world(database = new FakeDatabase()) {
  const deps: TalkDeps = {
    database,
    models: () => ({ model, name: "m" }),
    log: () => {},
    now: Date.now,
    wait: () => Promise.resolve(),
  };
  const begin = (goesOn = false) => {
    const socket = new FakeSocket();
    const talk: Talk = {
      callSid: CALL_SID,
      line: undefined,
      node: "desk",
      setting: { ...SETTING, goesOn, moveFrom: Infinity, moveBy: Infinity },
    };
    return { socket, done: serveTalk(socket, talk, deps) };
  };
  return { database, begin };
}

/** All that is under way without a clock is done. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) {
    // deno-lint-ignore no-await-in-loop
    await new Promise((done) => setTimeout(done, 0));
  }
}

Deno.test("a talk is answered, written while it goes on, and ended with its outcome", async () => {
  const { database, begin } = world();
  const { socket, done } = begin();
  socket.setup();
  await settled();
  socket.says("maps");
  await settled();
  assertEquals(socket.spoken, ["About maps: we know of maps much.", "And that is all of it."]);
  assertEquals(database.turns.map(({ kind }) => kind), ["caller"]);
  socket.frame({ type: "info", name: "agentSpeaking", value: "off" });
  socket.says("bye");
  await settled();
  assertEquals(socket.sent.at(-1).type, "end");
  assertEquals(JSON.parse(socket.sent.at(-1).handoffData).outcome, "done");
  socket.end();
  await done;
  assertEquals(database.turns.map(({ kind }) => kind), [
    "caller",
    "agent",
    "caller",
    "tool",
    "left",
  ]);
  assertEquals(database.ends, ["done"]);
});

Deno.test("a socket whose setup is of another call is closed, with nothing read", async () => {
  const { database, begin } = world();
  const { socket, done } = begin();
  socket.setup(`CA${"0".repeat(31)}2`);
  await done;
  assertEquals([socket.closedWith, database.sessions], ["another_call", 0]);
});

Deno.test("a frame before the setup closes the socket", async () => {
  const { begin } = world();
  const { socket, done } = begin();
  socket.says("maps");
  await done;
  assertEquals(socket.sent, []);
});

Deno.test("turns that could not be written are written once the database is back", async () => {
  const { database, begin } = world();
  const { socket, done } = begin();
  socket.setup();
  await settled();
  database.failing = 3;
  socket.says("maps");
  await settled();
  socket.end();
  await done;
  assertEquals(database.turns.map(({ seq, kind }) => [seq, kind]), [[0, "caller"], [1, "agent"]]);
});

Deno.test("turns of a talk that began while the database was away are written later", async () => {
  const { database, begin } = world();
  const { socket, done } = begin();
  database.failing = 3;
  socket.setup();
  await settled();
  socket.says("maps");
  await settled();
  socket.end();
  await done;
  assertEquals(database.turns.map(({ seq, kind }) => [seq, kind]), [[0, "caller"], [1, "agent"]]);
});

Deno.test("frames that nobody can make in a second are left out", async () => {
  const { begin } = world();
  const { socket, done } = begin();
  socket.setup();
  for (let count = 0; count < 5000; count++) socket.frame({ type: "error", description: "x" });
  await settled();
  socket.end();
  await done;
});

const PROMPTS = ["maps", "globes", "books", "bye"];
for (let killed = 0; killed <= PROMPTS.length * 2; killed++) {
  Deno.test(`an isolate that is killed after ${killed} frames: the same end, and no sentence twice`, async () => {
    const { database, begin } = world();
    let { socket } = begin();
    socket.setup();
    let frames = 0;
    const heard: string[] = [];
    const die = () => {
      heard.push(...socket.spoken);
      // Nothing of the isolate goes on: its rows that are not written are lost.
      const dead = socket;
      dead.onmessage = null;
      dead.readyState = 3;
      ({ socket } = begin(true));
      socket.setup();
    };
    await settled();
    for (const prompt of PROMPTS) {
      if (frames++ === killed) {
        die();
        // deno-lint-ignore no-await-in-loop
        await settled();
      }
      socket.says(prompt);
      // deno-lint-ignore no-await-in-loop
      await settled();
      if (frames++ === killed) {
        die();
        // deno-lint-ignore no-await-in-loop
        await settled();
      }
      socket.frame({ type: "info", name: "agentSpeaking", value: "off" });
      // deno-lint-ignore no-await-in-loop
      await settled();
    }
    if (socket.sent.at(-1)?.type !== "end") {
      socket.says("bye");
      await settled();
    }
    heard.push(...socket.spoken);
    assertEquals(JSON.parse(socket.sent.at(-1).handoffData).outcome, "done");
    assertEquals(database.ends.at(-1), "done");
    const sentences = heard.filter((text) => text.startsWith("About"));
    assertEquals(sentences.length, new Set(sentences).size, heard.join(" | "));
    assertEquals(heard.filter((text) => text === says.resumed).length <= 1, true);
    socket.end();
  });
}
