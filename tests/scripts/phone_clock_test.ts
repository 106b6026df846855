import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import { realClock, VirtualClock } from "../../scripts/phone/mod.ts";

const START = new Date("2026-01-05T15:00:00Z");

Deno.test("an hour of virtual time costs next to nothing", async () => {
  const clock = new VirtualClock(START);
  const before = performance.now();
  await clock.sleep(3_600_000);
  assertEquals(clock.now().toISOString(), "2026-01-05T16:00:00.000Z");
  assertEquals(performance.now() - before < 60_000, true);
});

Deno.test("virtual timers fire by due time, then in the order in which they were set", async () => {
  const clock = new VirtualClock(START);
  const fired: string[] = [];
  const timer = (name: string, ms: number) => clock.sleep(ms).then(() => void fired.push(name));
  await Promise.all([timer("c", 20), timer("a", 10), timer("d", 20), timer("b", 10)]);
  assertEquals(fired, ["a", "b", "c", "d"]);
});

Deno.test("what follows from one virtual timer is done before the next fires", async () => {
  const clock = new VirtualClock(START);
  const order: string[] = [];
  await Promise.all([
    clock.sleep(10).then(() => Promise.resolve()).then(() => void order.push("after 10")),
    clock.sleep(11).then(() => void order.push("11")),
  ]);
  assertEquals(order, ["after 10", "11"]);
});

Deno.test("virtual time stands still while work in the real world is under way", async () => {
  const clock = new VirtualClock(START);
  const order: string[] = [];
  await Promise.all([
    clock.sleep(1).then(() => void order.push("timer")),
    clock.during(async () => {
      // Several turns of the real event loop, any of which would be enough for the timer.
      for (let turn = 0; turn < 10; turn++) await new Promise((done) => setTimeout(done));
      order.push("work");
    }),
  ]);
  assertEquals(order, ["work", "timer"]);
});

Deno.test("an aborted sleep rejects and leaves no timer behind", async () => {
  for (const clock of [new VirtualClock(START), realClock()]) {
    const gone = new AbortController();
    const sleeping = clock.sleep(60_000, gone.signal);
    gone.abort(new Error("gone"));
    // deno-lint-ignore no-await-in-loop -- one clock after the other
    await assertRejects(() => sleeping, Error, "gone");
    // deno-lint-ignore no-await-in-loop
    await assertRejects(() => clock.sleep(1, gone.signal), Error, "gone");
  }
});

Deno.test("forked virtual timelines do not share their time", async () => {
  const clock = new VirtualClock(START);
  const call = clock.fork();
  await call.sleep(5000);
  assertEquals(clock.now(), START);
  assertEquals(call.now().getTime() - START.getTime(), 5000);
});

Deno.test("a faster real clock compresses pauses and runs ahead", async () => {
  const clock = realClock(100);
  const before = clock.now().getTime();
  const wall = performance.now();
  await clock.sleep(60_000);
  assertEquals(performance.now() - wall < 30_000, true);
  assertEquals(clock.now().getTime() - before >= 59_000, true);
});
