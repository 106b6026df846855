import { type RelaySocket, serveTalk } from "../../supabase/functions/_shared/agent/driver.ts";
import { settingOf } from "../../supabase/functions/_shared/agent/instructions.ts";
import type { Model } from "../../supabase/functions/_shared/agent/models/model.ts";
import type { Row } from "./report.ts";
import { percentile } from "./stats.ts";

// What we add to a model's time: the driver and its machine, with a model, a database and a socket that take none.

class Socket implements RelaySocket {
  onopen: RelaySocket["onopen"] = null;
  onmessage: RelaySocket["onmessage"] = null;
  onclose: RelaySocket["onclose"] = null;
  onerror: RelaySocket["onerror"] = null;
  readonly readyState = 1;
  /** Told of each frame that is sent. */
  sent: (text: string) => void = () => {};

  send(data: string): void {
    this.sent(data);
  }

  close(): void {
    this.onclose?.call(this as never, new CloseEvent("close"));
  }

  frame(frame: unknown): void {
    this.onmessage?.call(
      this as never,
      new MessageEvent("message", { data: JSON.stringify(frame) }),
    );
  }
}

const HEX = "0123456789abcdef".repeat(2);

/** A talk whose model writes one sentence at once, then waits until it is aborted. */
function talk(nth: number, aborted: () => void = () => {}) {
  const model: Model = async function* (_request, signal) {
    yield { kind: "delta", text: "We are on the second floor, next to the maps. And " };
    await new Promise<void>((done) =>
      signal.addEventListener("abort", () => {
        aborted();
        done();
      })
    );
  };
  let at = Date.now();
  const socket = new Socket();
  const callSid = `CA${HEX.slice(0, 24)}${String(nth).padStart(8, "0")}`;
  const done = serveTalk(socket, {
    callSid,
    line: undefined,
    node: "desk",
    setting: settingOf(
      { business: "Riverside Books", instructions: "Be brief. ".repeat(100), max_cost_usd: 1e9 },
      { departments: { sales: "sales", support: "support" }, callback: "back" },
      { language: "en-US", goesOn: true, models: ["m"], moveFrom: Infinity, moveBy: Infinity },
    ),
  }, {
    database: {
      open: () =>
        Promise.resolve({ entries: [], spentMs: 0, costUsd: 0, sessions: 1, moved: true }),
      record: () => Promise.resolve(),
      answer: () => Promise.resolve({ ok: true, entries: [] }),
      hours: () => Promise.resolve({ ok: true, calendars: [] }),
    },
    models: () => ({ model, name: "m" }),
    log: () => {},
    // Frames come no faster than a caller makes them.
    now: () => at += 25,
    wait: () => Promise.resolve(),
  });
  socket.frame({ type: "setup", sessionId: `VX${HEX}`, callSid });
  return { socket, done };
}

const turn = () => new Promise((done) => setTimeout(done, 0));

/** So many turns of each of so many talks, all open at once. */
async function turnsOf(talks: number, turns: number) {
  const firstText: number[] = [];
  const abort: number[] = [];
  const before = Deno.memoryUsage().heapUsed;
  let abortedAt = 0;
  const open = Array.from({ length: talks }, (_, nth) =>
    talk(nth, () => {
      abortedAt = performance.now();
    }));
  await turn();
  for (let nth = 0; nth < turns; nth++) {
    for (const { socket } of open) {
      const asked = performance.now();
      const first = new Promise<void>((done) => socket.sent = () => done());
      socket.frame({ type: "prompt", voicePrompt: `Where are the maps ${nth}?`, last: true });
      // deno-lint-ignore no-await-in-loop -- one turn at a time
      await first;
      firstText.push(performance.now() - asked);
      const interrupted = performance.now();
      socket.frame({ type: "interrupt", utteranceUntilInterrupt: "We are on" });
      abort.push(abortedAt - interrupted);
    }
  }
  const bytes = (Deno.memoryUsage().heapUsed - before) / talks;
  for (const { socket } of open) socket.close();
  await Promise.all(open.map(({ done }) => done));
  return { firstText, abort, bytes };
}

/** @param turns Of each of 100 talks. */
export async function agent(turns: number): Promise<Row[]> {
  await turnsOf(5, 20);
  const one = await turnsOf(1, turns * 20);
  const many = await turnsOf(100, turns);
  const row = (measure: string, unit: string, ours: number, most: number): Row => ({
    measure,
    unit,
    ours,
    aim: { most },
  });
  return [
    row("final prompt to first text, 0 ms model, p50", "ms", percentile(one.firstText, 0.5), 5),
    row("the same, p95", "ms", percentile(one.firstText, 0.95), 15),
    row("the same with 100 talks open, p95", "ms", percentile(many.firstText, 0.95), 15),
    row("interrupt to abort, p95", "ms", percentile(one.abort, 0.95), 5),
    row("heap of an open talk, 100 at once", "kB", many.bytes / 1000, 1000),
  ];
}
