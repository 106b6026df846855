import VoiceResponse from "twilio/lib/twiml/VoiceResponse.js";
import type { Callback, Instruction, Prompt, Reply } from "../calls/reply.ts";
import type { CallState } from "../calls/state.ts";
import { callbackUrl } from "./callback_url.ts";

// Twilio's own types name each voice and language; a flow's are data.
// deno-lint-ignore no-explicit-any
type Attributes = any;

/** Seconds of silence that end what a caller says. */
const SPEECH_PAUSE_SEC = 2;

/**
 * Writes a reply as TwiML. Source of each verb: https://www.twilio.com/docs/voice/twiml
 *
 * @param functionsUrl The public base of the functions, without a trailing slash.
 * @param socketOf The address of the socket of a talk in that state.
 */
export function renderTwiml(
  reply: Reply,
  functionsUrl: string,
  socketOf: (state: CallState) => string = () => "",
): string {
  const response = new VoiceResponse();
  const step = (to: Callback) => callbackUrl(functionsUrl, to, "step");
  const callback = (to: Callback) => callbackUrl(functionsUrl, to, "callback");
  const prompt = (parent: Pick<VoiceResponse, "say" | "play">, prompt: Prompt) => {
    if (prompt.verb === "say") parent.say(speechOf(prompt), prompt.text);
    else if (prompt.verb === "play") parent.play(prompt.url);
    else parent.play({ loop: prompt.times }, ringingUrl(functionsUrl));
  };

  const dialling = (
    dial: Extract<Instruction, { verb: "dial" | "dial_queue" }>,
  ): Attributes => ({
    action: step(dial.action),
    method: "POST",
    timeout: dial.seconds,
    timeLimit: dial.timeLimit,
    ...(dial.hangupOnStar && { hangupOnStar: true }),
    ...(dial.record && {
      record: "record-from-answer-dual",
      recordingStatusCallback: callback(dial.recordingCallback),
      recordingStatusCallbackMethod: "POST",
      recordingStatusCallbackEvent: ["completed", "absent"],
    }),
  });

  for (const instruction of reply) {
    switch (instruction.verb) {
      case "say":
      case "play":
      case "ringing":
        prompt(response, instruction);
        break;
      case "gather": {
        const gather = response.gather({
          input: instruction.keysOnly ? ["dtmf"] : ["dtmf", "speech"],
          numDigits: instruction.digits ?? 1,
          ...(instruction.poundIsKey && { finishOnKey: "" }),
          timeout: instruction.seconds,
          ...(!instruction.keysOnly && {
            // "auto" ends at the first pause: "yes ... but don't record" would be heard as a yes.
            speechTimeout: SPEECH_PAUSE_SEC,
            ...(instruction.hints.length > 0 && { hints: instruction.hints.join(",") }),
            language: instruction.language,
          }),
          action: step(instruction.action),
          method: "POST",
        } as Attributes);
        for (const each of instruction.prompts) {
          prompt(gather as Pick<VoiceResponse, "say" | "play">, each);
        }
        break;
      }
      case "redirect":
        response.redirect({ method: "POST" }, step(instruction.to));
        break;
      case "pause":
        response.pause({ length: instruction.seconds });
        break;
      case "dial": {
        const dial = response.dial({
          ...dialling(instruction),
          ...(instruction.callerId !== undefined && { callerId: instruction.callerId }),
          // The caller hears it ring while the person who answered is asked.
          // Source: https://www.twilio.com/docs/glossary/call-whisper
          ...(instruction.screen && { answerOnBridge: true }),
        });
        for (const number of instruction.numbers) {
          dial.number({
            ...(instruction.screen && { url: step(instruction.screen), method: "POST" }),
            statusCallback: callback(instruction.statusCallback),
            statusCallbackMethod: "POST",
            statusCallbackEvent: ["initiated", "ringing", "answered", "completed"],
          } as Attributes, number);
        }
        break;
      }
      case "dial_queue":
        response.dial(dialling(instruction)).queue({
          url: step(instruction.connects),
          method: "POST",
        }, instruction.queue);
        break;
      case "enqueue":
        response.enqueue({
          waitUrl: step(instruction.wait),
          waitUrlMethod: "POST",
          action: step(instruction.action),
          method: "POST",
        }, instruction.queue);
        break;
      case "leave":
        response.leave();
        break;
      case "record":
        response.record({
          action: step(instruction.action),
          method: "POST",
          maxLength: instruction.maxSec,
          timeout: instruction.silenceSec,
          finishOnKey: "#",
          playBeep: true,
          recordingStatusCallback: callback(instruction.recordingCallback),
          recordingStatusCallbackMethod: "POST",
          recordingStatusCallbackEvent: ["completed", "absent"],
          ...(instruction.transcribe && {
            transcribe: true,
            transcribeCallback: callback(instruction.transcriptionCallback),
          }),
        } as Attributes);
        break;
      case "talk":
        relay(
          response.connect({ action: step(instruction.action), method: "POST" } as Attributes),
          instruction,
          socketOf(instruction.action.state),
        );
        break;
      case "hangup":
        response.hangup();
        break;
    }
  }
  return response.toString();
}

/**
 * What only a real account tells is written here, and nowhere else: which voices Twilio's providers take, and `<Failover>`,
 * with which Twilio changes to its default backup of a provider that fails.
 *
 * The package's types lack these attributes, or have them in lower case; it writes any name through. Sources:
 * https://www.twilio.com/docs/voice/twiml/connect/conversationrelay,
 * https://www.twilio.com/docs/voice/conversationrelay/provider-failover
 */
function relay(
  connect: { conversationRelay(attributes: Attributes): unknown },
  { language, voices, hints, greeting }: Extract<Instruction, { verb: "talk" }>,
  url: string,
): void {
  const voice = (code: string) =>
    relayVoice(voices.find(({ language }) => language === code)?.voice);
  const noun = connect.conversationRelay({
    url,
    language,
    ...voice(language),
    ...(hints.length > 0 && { hints: hints.join(",") }),
    ...(greeting !== "" && {
      welcomeGreeting: greeting,
      // The disclosure is heard whole, unless a key asks for a person.
      welcomeGreetingInterruptible: "dtmf",
    }),
    interruptible: "any",
    dtmfDetection: true,
    // Keys count while the agent speaks.
    reportInputDuringAgentSpeech: "dtmf",
    events: "speaker-events tokens-played",
  }) as {
    language(attributes: Attributes): unknown;
    addChild(name: string, attributes: Attributes): unknown;
  };
  for (const { language: code } of voices) {
    if (code !== language) noun.language({ code, ...voice(code) });
  }
  noun.addChild("Failover", {});
}

/**
 * A flow's voice as ConversationRelay names it; nothing for one that its providers may not have: then it is Twilio's default.
 * A voice that a provider lacks would end the session (64101).
 */
function relayVoice(voice: string | undefined): Attributes {
  const [, polly] = /^Polly\.(\w+-(?:Neural|Generative))$/.exec(voice ?? "") ?? [];
  if (polly !== undefined) return { ttsProvider: "Amazon", voice: polly };
  const [, google] = /^Google\.(.+-(?:Chirp3-HD|Neural2)-\w+)$/.exec(voice ?? "") ?? [];
  return google === undefined ? {} : { ttsProvider: "Google", voice: google };
}

/** Where the tone of `ringingTone` is. The same URL always: Twilio keeps what it has fetched. */
function ringingUrl(functionsUrl: string): string {
  return `${functionsUrl}/voice-queue?event=ringing`;
}

/** Without a voice it is Twilio's own, which speaks any English as that of the United States. */
function speechOf({ voice, language }: Extract<Prompt, { verb: "say" }>): Attributes {
  if (voice !== undefined) return { voice, language };
  return { language: language.startsWith("en") ? "en-US" : language };
}
