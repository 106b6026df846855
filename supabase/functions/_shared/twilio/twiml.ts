import VoiceResponse from "twilio/lib/twiml/VoiceResponse.js";
import type { LineProfile } from "../calls/profile.ts";
import type { Reply } from "../calls/reply.ts";
import { callbackUrl } from "./callback_url.ts";

// Twilio's own types name each voice and language; the profile's are data.
// deno-lint-ignore no-explicit-any
type Attributes = any;

/** Seconds of silence that end what a caller says. */
const SPEECH_PAUSE_SEC = 2;

/**
 * Writes a reply as TwiML. Source of each verb: https://www.twilio.com/docs/voice/twiml
 *
 * @param functionsUrl The public base of the functions, without a trailing slash.
 */
export function renderTwiml(reply: Reply, profile: LineProfile, functionsUrl: string): string {
  const response = new VoiceResponse();
  // Without a voice the pair of Twilio's own defaults: whether the account's voice speaks another language, nobody knows.
  const speech: Attributes = profile.voice === undefined
    ? { language: "en-US" }
    : { voice: profile.voice, language: profile.language };
  const step = (to: Parameters<typeof callbackUrl>[1]) => callbackUrl(functionsUrl, to, "step");
  const callback = (to: Parameters<typeof callbackUrl>[1]) =>
    callbackUrl(functionsUrl, to, "callback");

  for (const instruction of reply) {
    switch (instruction.verb) {
      case "say":
        response.say(speech, instruction.text);
        break;
      case "gather":
        response.gather({
          input: ["dtmf", "speech"],
          numDigits: 1,
          timeout: profile.menu.timeoutSec,
          // "auto" ends at the first pause: "yes ... but don't record" would be heard as a yes.
          speechTimeout: SPEECH_PAUSE_SEC,
          hints: profile.menu.hints.join(","),
          language: profile.language,
          action: step(instruction.action),
          method: "POST",
        } as Attributes).say(speech, instruction.prompt);
        break;
      case "redirect":
        response.redirect({ method: "POST" }, step(instruction.to));
        break;
      case "dial":
        response.dial({
          action: step(instruction.action),
          method: "POST",
          timeout: profile.ringSec,
          timeLimit: instruction.timeLimit,
          ...(instruction.callerId !== undefined && { callerId: instruction.callerId }),
          ...(instruction.record && {
            record: "record-from-answer-dual",
            recordingStatusCallback: callback(instruction.recordingCallback),
            recordingStatusCallbackMethod: "POST",
            recordingStatusCallbackEvent: ["completed", "absent"],
          }),
        } as Attributes).number({
          statusCallback: callback(instruction.statusCallback),
          statusCallbackMethod: "POST",
          statusCallbackEvent: ["initiated", "ringing", "answered", "completed"],
        }, instruction.number);
        break;
      case "record":
        response.record({
          action: step(instruction.action),
          method: "POST",
          maxLength: profile.voicemail.maxSec,
          timeout: profile.voicemail.silenceSec,
          finishOnKey: "#",
          playBeep: true,
          recordingStatusCallback: callback(instruction.recordingCallback),
          recordingStatusCallbackMethod: "POST",
          recordingStatusCallbackEvent: ["completed", "absent"],
          // Twilio transcribes US English only.
          ...(profile.language === "en-US" && {
            transcribe: true,
            transcribeCallback: callback(instruction.transcriptionCallback),
          }),
        } as Attributes);
        break;
      case "hangup":
        response.hangup();
        break;
    }
  }
  return response.toString();
}
