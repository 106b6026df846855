import type { Input, Pressed, Spoke } from "./caller.ts";
import type { DocumentRequest } from "./interruption.ts";
import { play, type Side } from "./prompt.ts";
import { type Gather, resolveUrl } from "./twiml.ts";

/** Plays the prompts and waits for keys or speech. What the caller gave goes to the action. */
export async function gather(
  call: Side,
  verb: Gather,
  documentUrl: string,
): Promise<DocumentRequest | "next"> {
  const action = resolveUrl(verb.action ?? documentUrl, documentUrl);
  call.happens({
    kind: "gather",
    input: [
      ...(verb.dtmf ? ["dtmf" as const] : []),
      ...(verb.speech ? ["speech" as const] : []),
    ],
    action,
    numDigits: verb.numDigits,
    timeout: verb.timeout,
  });
  const nth = call.record.all("gather").length;
  let input: Input | undefined;
  for (const prompt of verb.prompts) {
    // deno-lint-ignore no-await-in-loop -- prompts follow each other
    input = await play(call, prompt, (heard) => accepted(verb, heard) !== undefined);
    if (input !== undefined) break;
  }
  if (input === undefined) {
    input = await call.ask((caller) => caller.onGather({ gather: verb, nth })) ?? "silence";
    if (typeof input === "object") await call.pass(input.afterMs ?? 1000);
  }
  if (input === "hangup") {
    await call.pass(1000);
    return call.leave();
  }
  const result = input === "silence" ? undefined : accepted(verb, input);
  if (typeof input === "object") {
    const lost = result === undefined;
    call.happens(
      "digits" in input
        ? { kind: "keys", digits: result?.params?.["Digits"] ?? input.digits, lost }
        : { kind: "speech", text: input.speech, lost },
    );
  }
  await call.pass((result?.waitSeconds ?? verb.timeout) * 1000);
  if (result?.params !== undefined) {
    return { url: action, method: verb.method, params: result.params };
  }
  call.happens({ kind: "silence", during: "gather" });
  // Not confirmed: which parameters an empty result has; an empty Digits is what DTMF gathers show.
  return verb.actionOnEmptyResult
    ? { url: action, method: verb.method, params: { msg: "Gather End", Digits: "" } }
    : "next";
}

/**
 * What a gather makes of input: the parameters of its action, and how long it still waits for more.
 * Undefined when it does not listen to this kind, or nothing is left of it. A finishing key ends it at once, a lone one
 * too: then there is no input. Source: https://www.twilio.com/docs/voice/twiml/gather
 */
function accepted(
  gather: Gather,
  input: Pressed | Spoke,
): { params: Record<string, string> | undefined; waitSeconds: number } | undefined {
  if ("speech" in input) {
    if (!gather.speech || input.speech === "") return undefined;
    const confidence = input.confidence === undefined ? 0.9 : input.confidence;
    const params = {
      SpeechResult: input.speech,
      ...(confidence !== null && { Confidence: String(confidence) }),
    };
    return { params, waitSeconds: gather.speechTimeout };
  }
  if (!gather.dtmf) return undefined;
  let digits = "";
  let finishedOnKey = "";
  for (const key of input.digits.replace(/[^0-9*#]/g, "")) {
    if (gather.finishOnKey.includes(key)) finishedOnKey = key;
    else digits += key;
    if (finishedOnKey !== "" || digits.length === gather.numDigits) break;
  }
  if (digits === "") {
    return finishedOnKey === "" ? undefined : { params: undefined, waitSeconds: 0 };
  }
  const done = finishedOnKey !== "" || digits.length === gather.numDigits;
  const params = { msg: "Gather End", Digits: digits, FinishedOnKey: finishedOnKey };
  return { params, waitSeconds: done ? 0 : gather.timeout };
}
