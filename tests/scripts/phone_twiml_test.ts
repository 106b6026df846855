import { assertEquals } from "@std/assert/equals.js";
import { assertThrows } from "@std/assert/throws.js";
import { parseTwiml, TwimlError } from "../../scripts/phone/mod.ts";

const parse = (verbs: string) => parseTwiml(`<Response>${verbs}</Response>`, "text/xml");

function assertCode(code: number, body: string, contentType: string | null = "text/xml") {
  const error = assertThrows(() => parseTwiml(body, contentType), TwimlError);
  assertEquals(error.code, code);
}

Deno.test("only text/xml and application/xml are TwiML", () => {
  for (const type of ["text/xml", "text/xml; charset=utf-8", "application/xml", "TEXT/XML"]) {
    assertEquals(parseTwiml("<Response/>", type).verbs, []);
  }
  for (const type of ["text/html", "text/plain", "application/json", "", null]) {
    assertCode(12300, "<Response/>", type);
  }
});

Deno.test("a document over 64 KiB is refused, one of exactly 64 KiB is not", () => {
  const frame = "<Response><Say></Say></Response>";
  const filled = (bytes: number) =>
    `<Response><Say>${"a".repeat(bytes - frame.length)}</Say></Response>`;
  assertEquals(parseTwiml(filled(65_536), "text/xml").verbs.length, 1);
  assertCode(11750, filled(65_537));
});

Deno.test("a voice that does not speak the language fails the document, within a gather too", () => {
  const say = (attributes: string) => `<Say ${attributes}>Hello</Say>`;
  const fitting = [
    'voice="Polly.Joanna" language="en-US"',
    'voice="alice" language="en-US"',
    'voice="Polly.Joanna"',
    'language="en-GB"',
    'voice="Polly.Someone" language="cy-GB"',
  ];
  for (const attributes of fitting) assertEquals(parse(say(attributes)).verbs.length, 1);
  const wrong = say('voice="Polly.Joanna" language="en-GB"');
  assertCode(13511, `<Response>${wrong}</Response>`);
  assertCode(13321, `<Response><Gather>${wrong}</Gather></Response>`);
  assertCode(13511, `<Response>${say('voice="Polly.Nobody" language="en-US"')}</Response>`);
});

Deno.test("what is not well-formed XML is refused", () => {
  const faults = [
    "",
    "hello",
    "<Response>",
    "<Response><Say>a & b</Say></Response>",
    "<Response><Say>&nbsp;</Say></Response>",
    "<Response><Say></Response></Say>",
    "<Response/><Response/>",
    ' <?xml version="1.0"?><Response/>',
    "<Response><Say voice=alice>a</Say></Response>",
    "<Response><Say>\u0000</Say></Response>",
  ];
  for (const body of faults) assertCode(12100, body);
});

Deno.test("the root must be Response", () => {
  assertCode(12100, "<response/>");
  assertCode(12100, "<html><Response/></html>");
});

Deno.test("verbs and nestings that Twilio does not know are errors", () => {
  for (const verbs of ["<Shout/>", "<say>hi</say>", "<Gather><Dial>+1</Dial></Gather>"]) {
    assertCode(12200, `<Response>${verbs}</Response>`);
  }
  assertCode(12200, "<Response><Dial><Conference>room</Conference></Dial></Response>");
  assertCode(12200, "<Response><Dial>+15550001111<Queue>line</Queue></Dial></Response>");
});

Deno.test("a queue's name has 1 to 63 characters", () => {
  const named = (length: number) => "q".repeat(length);
  assertEquals(parse(`<Enqueue>${named(63)}</Enqueue>`).verbs.length, 1);
  assertCode(14204, "<Response><Enqueue/></Response>");
  assertCode(14205, `<Response><Enqueue>${named(64)}</Enqueue></Response>`);
  assertCode(14212, "<Response><Dial><Queue/></Dial></Response>");
  assertCode(14213, `<Response><Dial><Queue>${named(64)}</Queue></Dial></Response>`);
});

Deno.test("unknown attributes and values are warnings, and the default holds", () => {
  const { verbs, warnings } = parse('<Gather numDigit="1" timeout="soon"><Say>Hi</Say></Gather>');
  assertEquals(warnings, [
    'value "soon" of timeout on <Gather>',
    "attribute numDigit on <Gather>",
  ]);
  assertEquals(verbs[0]?.verb === "Gather" && verbs[0].timeout, 5);
});

Deno.test("SSML within Say is spoken as its text, white space collapsed", () => {
  const { verbs, warnings } = parse(
    '<Say>Press <emphasis level="strong">one</emphasis>\n  or <say-as interpret-as="digits">2</say-as> &amp; wait</Say>',
  );
  assertEquals(verbs[0]?.verb === "Say" && verbs[0].text, "Press one or 2 & wait");
  assertEquals(warnings, []);
});

Deno.test("Gather's defaults are Twilio's", () => {
  assertEquals(parse("<Gather/>").verbs[0], {
    verb: "Gather",
    dtmf: true,
    speech: false,
    action: undefined,
    method: "POST",
    timeout: 5,
    speechTimeout: 5,
    numDigits: undefined,
    finishOnKey: "#",
    actionOnEmptyResult: false,
    language: undefined,
    hints: undefined,
    prompts: [],
  });
});

Deno.test("Dial takes a number as text or as Number, and records nothing by default", () => {
  const [plain, noun] = parse(
    '<Dial>+15550001111</Dial><Dial record="true"><Number statusCallback="/s" statusCallbackEvent="initiated answered">+15550002222</Number></Dial>',
  ).verbs;
  assertEquals(plain?.verb === "Dial" && [plain.numbers[0]?.number, plain.timeout, plain.record], [
    "+15550001111",
    30,
    "do-not-record",
  ]);
  assertEquals(noun?.verb === "Dial" && [noun.numbers, noun.record], [
    [{
      number: "+15550002222",
      url: undefined,
      method: "POST",
      statusCallback: "/s",
      statusCallbackMethod: "POST",
      statusCallbackEvents: ["initiated", "answered"],
    }],
    "record-from-answer",
  ]);
});

Deno.test("a recording that is transcribed lasts 120 s at most", () => {
  const lengths = parse('<Record/><Record transcribe="true" maxLength="600"/>').verbs.map((verb) =>
    verb.verb === "Record" && verb.maxLength
  );
  assertEquals(lengths, [3600, 120]);
});
