import { assertEquals } from "@std/assert/equals.js";
import { createHandler } from "../../supabase/functions/voice-consent-speech/handler.ts";
import {
  at,
  CALLER_ON_THE_LINE,
  dial,
  DIALS,
  DISCLOSED,
  DISCLOSED_OPT_IN,
  FLOW,
  response,
  say,
  SPOKEN,
  VOICEMAIL,
} from "../support/expected.ts";
import {
  accepted,
  briefPathOf,
  only,
  onTheLine,
  type Params,
  pressed,
  said,
  SALES,
  SUPPORT,
  takeStep,
  type TestDepsOptions,
  UNAVAILABLE,
} from "../support/webhook.ts";

const UNTOLD = "?turn=1&attempt=1";
const FIRST = `${UNTOLD}&disclosed=${DISCLOSED}`;
const OPT_IN = `${UNTOLD}&disclosed=${DISCLOSED_OPT_IN}`;

const hear = (params: Params, options: TestDepsOptions = {}, query = FIRST) =>
  takeStep("voice-consent-speech", createHandler, params, query, options);

const MENU_AGAIN = (query: string) => ["Gather", `Redirect: voice-menu-handler?${query}`];

Deno.test("key 1 dials sales at once, recorded, as staying on the line agreed", async () => {
  const { xml } = await hear(pressed("1"));
  const more = `&amp;disclosed=${DISCLOSED}&amp;consent=stayed-1&amp;mode=sales-1`;
  assertEquals(
    xml,
    response(
      say("Connecting you to sales."),
      dial(SALES, at("sales", 2, more), { recorded: true }),
    ),
  );
});

Deno.test("a choice is recorded with the consent that going on gave, and its evidence", async () => {
  const { event } = await hear(pressed("1"));
  assertEquals(event, {
    operation: "voice-consent-speech",
    identity: "turn-1",
    event: "consent",
    ...DIALS,
    ...CALLER_ON_THE_LINE,
    mode: "sales",
    mode_turn: 1,
    consent_given: true,
    consent_order: 1,
    disclosure: SPOKEN,
    meta: {
      digits: "1",
      flow: FLOW,
      node: "menu",
      outcome: "options.0",
      consent: {
        basis: "stayed",
        turn: 1,
        order: 1,
        disclosure: DISCLOSED,
      },
    },
  });
});

Deno.test("a spoken choice dials as a key does", async () => {
  const { outline, event } = await hear(said("I need some help please"));
  assertEquals(outline, ["Say: Connecting you to support.", `Dial: ${SUPPORT}`]);
  assertEquals(event["meta"], {
    speech: "I need some help please",
    flow: FLOW,
    node: "menu",
    outcome: "options.1",
    consent: (event["meta"] as { consent: unknown }).consent,
  });
});

Deno.test("a spoken wish to leave a message goes to voicemail at once", async () => {
  const { outline, event } = await hear(said("leave a message"));
  assertEquals(outline, VOICEMAIL);
  assertEquals(event["mode"], "voicemail");
});

// --- no recording -------------------------------------------------------------------------------------------

for (const refusal of [said("no recording"), said("don’t record me"), pressed("3")]) {
  const how = "Digits" in refusal ? `key ${refusal.Digits}` : `"${refusal.SpeechResult}"`;
  Deno.test(`${how} declines, is confirmed, and leads back to the menu`, async () => {
    const { outline, event } = await hear(refusal);
    assertEquals(outline, [
      "Say: Understood. This call will not be recorded.",
      ...MENU_AGAIN("turn=2&attempt=1&consent=no-1"),
    ]);
    assertEquals([event["consent_given"], event["consent_order"]], [false, 6]);
  });
}

Deno.test("a refusal and a choice in one breath dial without recording", async () => {
  const { verbs, event } = await hear(said("without recording, sales please"));
  const dial = verbs.find(({ name }) => name === "Dial");
  assertEquals(dial?.attributes["record"], undefined);
  assertEquals([event["consent_given"], event["mode"]], [false, "sales"]);
});

Deno.test("words about recording that are not certainly a yes count as no", async () => {
  const { verbs, event } = await hear(said("recording studio support"));
  assertEquals(verbs.find(({ name }) => name === "Dial")?.attributes["record"], undefined);
  assertEquals([event["consent_given"], event["mode"]], [false, "support"]);
});

for (const words of ["No, sales please.", "I don’t want that. Sales.", "What? Sales!"]) {
  Deno.test(`"${words}" dials without recording, and leaves consent undecided`, async () => {
    const answer = await hear(said(words));
    assertEquals(only(answer, "Dial").attributes["record"], undefined);
    assertEquals([answer.event["consent_given"], answer.event["consent_order"]], [null, 2]);
    assertEquals(answer.event["mode"], "sales");
  });
}

Deno.test("after a refusal, staying on the line does not bring the recording back", async () => {
  const answer = await hear(pressed("1"), {}, `${FIRST}&consent=no-0`);
  assertEquals(only(answer, "Dial").attributes["record"], undefined);
  assertEquals(answer.event["consent_given"], false);
});

// --- only what the database says is recorded ----------------------------------------------------------------

for (const consent_given of [null, false]) {
  Deno.test(`a call whose consent the database has as ${consent_given} is not recorded`, async () => {
    const answer = await hear(pressed("1"), { outcome: accepted({ consent_given }) });
    assertEquals(only(answer, "Dial").attributes["record"], undefined);
    assertEquals(only(answer, "Dial").attributes["recordingStatusCallback"], undefined);
  });
}

Deno.test("without the database sales is dialled, unrecorded, and the decisions travel on", async () => {
  const answer = await hear(pressed("1"), { outcome: UNAVAILABLE });
  const dial = only(answer, "Dial");
  assertEquals(dial.attributes["record"], undefined);
  assertEquals(
    briefPathOf(dial.attributes["action"]),
    "voice-route-action?turn=2&attempt=1&consent=stayed-1&mode=sales-1",
  );
  assertEquals(
    briefPathOf(dial.children[0]?.attributes["statusCallback"]),
    "voice-status?turn=2&attempt=1&consent=stayed-1&mode=sales-1",
  );
});

// --- only an explicit yes -----------------------------------------------------------------------------------

Deno.test("under opt_in going on agrees to nothing", async () => {
  const answer = await hear(pressed("1"), {}, OPT_IN);
  assertEquals(only(answer, "Dial").attributes["record"], undefined);
  assertEquals(answer.event["consent_given"], undefined);
});

for (const yes of [said("Yes, record."), said("I agree"), pressed("3")]) {
  const how = "Digits" in yes ? `key ${yes.Digits}` : `"${yes.SpeechResult}"`;
  Deno.test(`under opt_in ${how} agrees, is confirmed, and leads back to the menu`, async () => {
    const { outline, event } = await hear(yes, {}, OPT_IN);
    assertEquals(outline, [
      "Say: Thank you. This call may be recorded.",
      ...MENU_AGAIN("turn=2&attempt=1&consent=yes-1"),
    ]);
    assertEquals([event["consent_given"], event["consent_order"]], [true, 5]);
  });
}

Deno.test("under opt_in a yes and a choice in one breath dial, recorded", async () => {
  const answer = await hear(said("yes I agree, sales"), {}, OPT_IN);
  assertEquals(only(answer, "Dial").attributes["record"], "record-from-answer-dual");
});

for (
  const words of ["I don't mind if you record, sales", "Do you record this call? Sales please"]
) {
  Deno.test(`under opt_in "${words}" is no agreement`, async () => {
    const answer = await hear(said(words), {}, OPT_IN);
    assertEquals(only(answer, "Dial").attributes["record"], undefined);
    assertEquals(answer.event["consent_given"], false);
  });
}

// --- no choice ----------------------------------------------------------------------------------------------

Deno.test("silence is heard, agrees, and leads back to the menu", async () => {
  const { outline, event } = await hear(onTheLine);
  assertEquals(outline, [
    "Say: We did not hear a choice.",
    ...MENU_AGAIN("turn=2&attempt=2&consent=stayed-1"),
  ]);
  assertEquals([event["consent_given"], event["mode"]], [true, undefined]);
});

for (
  const [wrong, consent] of [
    [pressed("7"), ""],
    [said("pizza"), "&consent=unsure-1"],
    [said("sales or support"), "&consent=unsure-1"],
  ] as const
) {
  const how = "Digits" in wrong ? `key ${wrong.Digits}` : `"${wrong.SpeechResult}"`;
  Deno.test(`${how} is none of the choices, agrees to nothing, and leads back to the menu`, async () => {
    const { outline } = await hear(wrong);
    assertEquals(outline, [
      "Say: That is not one of the choices.",
      ...MENU_AGAIN(`turn=2&attempt=2${consent}`),
    ]);
  });
}

Deno.test("star repeats the menu without the disclosure, agrees to nothing, and costs no attempt", async () => {
  const { outline, spoken } = await hear(pressed("*"));
  assertEquals(outline, MENU_AGAIN("turn=2&attempt=1"));
  assertEquals(spoken.length, 1);
});

// --- what the caller was told alone decides -----------------------------------------------------------------

for (const now of ["opt_out", "opt_in"]) {
  const options = { env: { RECORDING_CONSENT: now } };
  Deno.test(`key 3 means what it was offered for, though the line is ${now} by now`, async () => {
    const refused = await hear(pressed("3"), options, FIRST);
    assertEquals([refused.event["consent_given"], refused.spoken[0]], [
      false,
      "Understood. This call will not be recorded.",
    ]);
    const agreed = await hear(pressed("3"), options, OPT_IN);
    assertEquals([agreed.event["consent_given"], agreed.spoken[0]], [
      true,
      "Thank you. This call may be recorded.",
    ]);
  });

  Deno.test(`without a disclosure no answer is consent, though the line is ${now}`, async () => {
    for (const params of [onTheLine, pressed("1"), pressed("3"), said("sales"), said("I agree")]) {
      const outcome = accepted({ consent_given: true });
      const answer = await hear(params, { ...options, outcome }, UNTOLD);
      assertEquals(answer.event["consent_given"] ?? false, false);
      for (const dial of answer.verbs.filter(({ name }) => name === "Dial")) {
        assertEquals(dial.attributes["record"], undefined);
      }
    }
  });
}

Deno.test("a key is never read by another menu than the one that was heard", async () => {
  const other = await hear(pressed("1"), {}, `${FIRST}&flow=default-00000000&node=menu`);
  assertEquals(other.outline, MENU_AGAIN("turn=2&attempt=1"));
  assertEquals([other.event["mode"], other.event["consent_given"]], [undefined, undefined]);
  const own = await hear(pressed("1"), {}, `${FIRST}&flow=${FLOW}&node=menu`);
  assertEquals(own.outline[1], `Dial: ${SALES}`);
});

Deno.test("a bare yes agrees, and the menu is heard again before anybody is dialled", async () => {
  for (const words of ["Yes.", "yeah sure", "okay"]) {
    const { event, outline } = await hear(said(words), {}, OPT_IN);
    assertEquals([event["consent_given"], event["consent_order"]], [true, 5]);
    assertEquals(outline[0], "Say: Thank you. This call may be recorded.");
    assertEquals(outline.filter((verb) => verb.startsWith("Dial")), []);
  }
});

Deno.test("a yes beside a choice, which dials at once, agrees to nothing: its speaker may have paused", async () => {
  const { event, outline } = await hear(said("yes, sales"), {}, OPT_IN);
  assertEquals(event["consent_given"] ?? null, null);
  assertEquals(outline.some((verb) => verb.startsWith("Dial")), true);
});
