import { assertEquals } from "@std/assert/equals.js";
import type { Flow } from "../../supabase/functions/_shared/flows/language.ts";
import { createHandler } from "../../supabase/functions/voice-route/handler.ts";
import {
  at,
  CALLER_ON_THE_LINE,
  dial,
  DIALS,
  DISCLOSED,
  FLOW,
  response,
  say,
  VOICEMAIL,
} from "../support/expected.ts";
import {
  accepted,
  CALL_SID,
  CALLER,
  CHILD_SID,
  LINE_NUMBER,
  only,
  onTheLine,
  type Params,
  pressed,
  publication,
  SALES,
  signedRequest,
  SUPPORT,
  takeStep,
  testDeps,
  type TestDepsOptions,
  twiml,
  UNAVAILABLE,
} from "../support/webhook.ts";

const route = (query: string, options: TestDepsOptions = {}) =>
  takeStep("voice-route", createHandler, onTheLine, query, options);

const MENU = ["Gather", "Redirect: voice-menu-handler?turn=2&attempt=1"];

Deno.test("a call goes where the database says that it goes", async () => {
  const { xml } = await route("?turn=1&attempt=1", { outcome: accepted({ mode: "support" }) });
  assertEquals(
    xml,
    response(say("Connecting you to support."), dial(SUPPORT, at("support", 2))),
  );
});

Deno.test("being routed is recorded, and decides nothing", async () => {
  const { event } = await route("?turn=1&attempt=1");
  assertEquals(event, {
    operation: "voice-route",
    identity: "turn-1",
    event: "route",
    ...DIALS,
    ...CALLER_ON_THE_LINE,
    meta: { flow: FLOW },
  });
});

Deno.test("the database's destination counts before the one of the URL", async () => {
  const { outline } = await route("?turn=1&attempt=1&mode=sales-1", {
    outcome: accepted({ mode: "support" }),
  });
  assertEquals(outline[1], `Dial: ${SUPPORT}`);
});

Deno.test("without the database the URL's destination is dialled, unrecorded", async () => {
  const answer = await route(
    `?turn=1&attempt=1&disclosed=${DISCLOSED}&consent=yes-1&mode=sales-1`,
    {
      outcome: UNAVAILABLE,
    },
  );
  assertEquals(answer.outline[1], `Dial: ${SALES}`);
  assertEquals(only(answer, "Dial").attributes["record"], undefined);
});

Deno.test("a call that agreed is recorded", async () => {
  const answer = await route(`?turn=1&attempt=1&disclosed=${DISCLOSED}`, {
    outcome: accepted({ mode: "sales", consent_given: true }),
  });
  assertEquals(only(answer, "Dial").attributes["record"], "record-from-answer-dual");
});

Deno.test("a call whose destination is voicemail is asked for a message", async () => {
  const { verbs } = await route("?turn=1&attempt=1", { outcome: accepted({ mode: "voicemail" }) });
  assertEquals(verbs.map(({ name }) => name), ["Say", "Record", "Say", "Hangup"]);
});

for (const mode of ["menu", "a_department_of_last_year", "__proto__"]) {
  Deno.test(`a call whose destination is "${mode}" hears the menu`, async () => {
    assertEquals(
      (await route("?turn=1&attempt=1", { outcome: accepted({ mode }) })).outline,
      MENU,
    );
  });
}

Deno.test("without the database a call that chose nothing hears the menu", async () => {
  assertEquals((await route("?turn=1&attempt=1", { outcome: UNAVAILABLE })).outline, MENU);
});

Deno.test("a caller without a number of their own is shown as the line", async () => {
  for (const From of ["anonymous", "Restricted", "+266696687", "", "client:desk", "+1416555012"]) {
    const answer = await takeStep(
      "voice-route",
      createHandler,
      { ...onTheLine, From },
      "?turn=1&attempt=1&mode=sales-1",
    );
    assertEquals(only(answer, "Dial").attributes["callerId"], LINE_NUMBER);
  }
});

const UNANSWERED = ["Say: Nobody can take your call right now.", ...VOICEMAIL];

for (
  const [title, params] of [
    ["a call that its destination forwarded here", { ForwardedFrom: SALES }],
    ["a call from its destination", { From: SALES }],
    ["a leg of ours that came back", { From: LINE_NUMBER }],
    ["a call to its destination's own number", { To: SALES }],
  ] as const
) {
  Deno.test(`${title} is not dialled there again: a message can be left`, async () => {
    for (const outcome of [undefined, UNAVAILABLE]) {
      const answer = await takeStep(
        "voice-route",
        createHandler,
        { ...onTheLine, ...params },
        "?turn=1&attempt=1&mode=sales-1",
        outcome && { outcome },
      );
      assertEquals(answer.outline, UNANSWERED);
    }
  });
}

Deno.test("a call that was forwarded here is connected", async () => {
  const answer = await takeStep(
    "voice-route",
    createHandler,
    { ...onTheLine, ForwardedFrom: "+14165550177" },
    "?turn=1&attempt=1&mode=sales-1",
  );
  assertEquals(answer.outline[1], `Dial: ${SALES}`);
});

for (
  const [where, line, env, dialled] of [
    ["in production", "+15877428885", { NODE_ENV: "production" }, false],
    ["on a developer's machine, where the guide's number is both", "+15877428885", {}, true],
    ["on a developer's machine", "+15875550144", {}, false],
  ] as const
) {
  Deno.test(`a line that is its own destination is ${dialled ? "" : "not "}dialled ${where}`, async () => {
    const answer = await takeStep(
      "voice-route",
      createHandler,
      { ...onTheLine, To: line },
      "?turn=1&attempt=1&mode=sales-1",
      {
        env: { ...env, SALES_TARGET_E164: line },
        // A flow was published for the line, so that the database knows it.
        outcome: accepted({ mode: "sales", facts: { spent: false, own_lines: [line] } }),
      },
    );
    assertEquals(answer.outline.includes(`Dial: ${line}`), dialled);
  });
}

Deno.test("a conversation ends after MAX_CALL_MINUTES", async () => {
  for (const [minutes, seconds] of [[undefined, "3600"], ["5", "300"]] as const) {
    const answer = await route("?turn=1&attempt=1&mode=sales-1", {
      env: { MAX_CALL_MINUTES: minutes },
    });
    assertEquals(only(answer, "Dial").attributes["timeLimit"], seconds);
  }
});

for (
  const [title, facts] of [
    ["a line that has spent its day", { spent: true, own_lines: [] }],
    ["a destination that is answered here", { spent: false, own_lines: [SALES] }],
    ["a leg of another line of ours", { spent: false, own_lines: [CALLER] }],
  ] as const
) {
  Deno.test(`${title}: no number is dialled, and a message can be left`, async () => {
    const { outline } = await route("?turn=1&attempt=1", {
      outcome: accepted({ mode: "sales", facts }),
    });
    assertEquals(outline, UNANSWERED);
  });
}

// --- a group whose members accept ---------------------------------------------------------------------------

const screening = async (
  event: string,
  params: Params,
  options: TestDepsOptions = {},
  state = "",
) => {
  const deps = testDeps(options);
  const leg = { ...params, CallSid: CHILD_SID, To: SALES };
  const query = `?event=${event}&call=${CALL_SID}&turn=2&attempt=1&language=fr-CA${state}`;
  const answer = await twiml(
    createHandler(deps),
    signedRequest("voice-route", leg, { query }),
  );
  return { ...answer, events: deps.events };
};

Deno.test("who answers for a group is asked, in the call's language, and told of as its leg", async () => {
  const { verbs, spoken, events } = await screening("ask", onTheLine);
  assertEquals(verbs.map(({ name }) => name), ["Gather", "Gather", "Hangup"]);
  assertEquals(spoken[0], "Vous avez un appel. Pour le prendre, appuyez sur le 1.");
  const { input, finishOnKey } = verbs[0]!.attributes;
  assertEquals([input, finishOnKey], ["dtmf", ""]);
  const [event] = events;
  assertEquals([event?.["event"], event?.["call_sid"], event?.["leg_sid"]], [
    "leg_asked",
    CALL_SID,
    CHILD_SID,
  ]);
});

for (
  const [keys, title, outline, told] of [
    ["1", "accepts, and is put through", [], ["leg_accepted"]],
    ["2", "does not, and is not put through", ["Hangup"], ["leg_declined"]],
  ] as const
) {
  Deno.test(`who presses ${keys} ${title}`, async () => {
    const answer = await screening("accept", pressed(keys));
    assertEquals(answer.outline, outline);
    assertEquals(answer.events.map(({ event }) => event), told);
  });
}

Deno.test("who answers a call that an agent transferred hears what it is about, and is put through whatever fails", async () => {
  const transferred = "&handoff=agent_transferred";
  const whisper = (query: string, options?: TestDepsOptions) =>
    screening("whisper", onTheLine, options, query);
  const facts = { summary: "Veut des cartes." };
  const told = await whisper(transferred, { outcome: accepted({ facts }) });
  assertEquals(told.outline, ["Say: De la part de l'assistant : Veut des cartes."]);
  assertEquals(told.events.map(({ event, ask }) => [event, ask]), [["leg_status", {
    summary: true,
  }]]);
  const long = await whisper(transferred, {
    outcome: accepted({ facts: { summary: "carte ".repeat(200) } }),
  });
  assertEquals(long.spoken[0]!.length < 340, true);
  for (const outcome of [UNAVAILABLE, new Error("fails"), accepted()]) {
    // deno-lint-ignore no-await-in-loop
    assertEquals((await whisper(transferred, { outcome })).outline, []);
  }
  assertEquals((await whisper("")).events[0]!.ask, undefined);
});

Deno.test("a person whom nothing can be asked is not put through, and one is asked without the database", async () => {
  for (const params of [{ ...onTheLine, RecordingSid: "none" }]) {
    assertEquals((await screening("ask", params)).outline, ["Hangup"]);
  }
  const failing = await screening("accept", pressed("1"), { outcome: new Error("fails") });
  assertEquals(failing.outline, ["Hangup"]);
  const away = await screening("accept", pressed("1"), { outcome: UNAVAILABLE });
  assertEquals(away.outline, []);
});

Deno.test("while the database is away people are rung as it had them last", async () => {
  const flow: Flow = {
    schema: 1,
    zone: "UTC",
    languages: ["en-US"],
    start: "desk",
    prompts: { note: { "en-US": "Please leave a message." } },
    groups: { desk: { members: ["anna", "ben"], ring: "all" } },
    nodes: {
      desk: { type: "ring", group: "desk", mode: "desk", answered: "bye", unanswered: "note" },
      note: { type: "voicemail", prompt: "note", next: "bye" },
      bye: { type: "end" },
    },
  };
  const people = {
    anna: { phone: SALES, available: true },
    ben: { phone: SUPPORT, available: false },
  };
  const version = publication(flow).hash.slice(0, 32);
  let isAway = true;
  const deps = testDeps({
    flow,
    outcome: () => isAway ? UNAVAILABLE : accepted({ mode: "desk", facts: { people } }),
  });
  const lines = await deps.flows();
  const handler = createHandler({ ...deps, flows: () => Promise.resolve(lines) });
  const rung = async () => {
    const query = `?turn=1&attempt=1&mode=desk-1&flow=${version}`;
    return (await twiml(handler, signedRequest("voice-route", onTheLine, { query }))).outline[0];
  };
  assertEquals(await rung(), "Say: Please leave a message.");
  isAway = false;
  assertEquals(await rung(), `Dial: ${SALES}`);
  isAway = true;
  assertEquals(await rung(), `Dial: ${SALES}`);
});
