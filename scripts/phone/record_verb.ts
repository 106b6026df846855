import type { Call } from "./call.ts";
import type { Message } from "./caller.ts";
import { CallerHungUp, type DocumentRequest, Interruption } from "./interruption.ts";
import { Recording } from "./recording.ts";
import { newSid, type Params } from "./signer.ts";
import { type RecordVerb, resolveUrl } from "./twiml.ts";

/**
 * Lets the caller leave a message. The action is asked in any case, so no verb behind this one is reached: of silence,
 * which is kept, and when the caller has hung up. Source: https://www.twilio.com/docs/voice/twiml/record
 */
export async function record(
  call: Call,
  verb: RecordVerb,
  documentUrl: string,
): Promise<DocumentRequest> {
  const { maxLength, transcribe, playBeep } = verb;
  call.happens({ kind: "record", maxLength, transcribe, playBeep });
  const nth = call.record.all("record").length;
  const reply = await call.ask((caller) => caller.onRecord?.({ record: verb, nth }));
  if (playBeep) await call.pass(500);
  const message: Message = reply === "silence"
    ? { seconds: 0, end: "silence" }
    : reply === "hangup"
    ? { seconds: 0, end: "hangup" }
    : reply ?? { seconds: 8 };
  const recording = new Recording(call, {
    source: "RecordVerb",
    channels: 1,
    verb,
    documentUrl,
  });
  /**
   * The recording is finished, and reported; what the action is asked then.
   *
   * @param kept seconds that are left of it once the silence at its end is trimmed, which the action is not told yet
   */
  const finish = (kept: number, digits: Params): DocumentRequest => {
    const whole = Math.round(kept);
    const recorded = Math.max(1, whole, Math.min(recording.elapsed, maxLength));
    recording.finish(whole);
    reportTranscription(call, verb, documentUrl, message, recording, whole);
    return {
      url: resolveUrl(verb.action ?? documentUrl, documentUrl),
      method: verb.method,
      params: {
        RecordingSid: recording.sid,
        RecordingUrl: recording.url,
        RecordingDuration: String(recorded),
        ...digits,
      },
    };
  };
  let digits: Params;
  try {
    digits = await leaveMessage(call, verb, message);
  } catch (error) {
    if (!(error instanceof Interruption)) throw error;
    // Not confirmed: after a hang-up at the beep the action reports a second of audio, and the callback reports none.
    const action = finish(Math.min(recording.elapsed, message.seconds), { Digits: "hangup" });
    if (!(error instanceof CallerHungUp)) throw error;
    call.end(error.by);
    await call.requestIgnoringAnswer(action);
    throw error;
  }
  const seconds = message.end === "maxlength" ? maxLength : message.seconds;
  if (seconds === 0) call.happens({ kind: "silence", during: "record" });
  // Not confirmed: how much is left of nothing but silence, and whether Digits is absent or empty when no key ended it.
  return finish(Math.max(1, Math.min(seconds, maxLength)), digits);
}

/** Speaks until something ends it. Returns the key, if one did. */
async function leaveMessage(call: Call, verb: RecordVerb, message: Message): Promise<Params> {
  const end = message.end ?? "hangup";
  if (end === "maxlength" || message.seconds >= verb.maxLength) {
    await call.pass(verb.maxLength * 1000);
    return {};
  }
  await call.pass(message.seconds * 1000);
  if (end === "hangup") call.leave();
  if (end !== "silence") {
    const lost = !verb.finishOnKey.includes(end);
    call.happens({ kind: "keys", digits: end, lost });
    if (!lost) return { Digits: end };
  }
  await call.pass(verb.timeout * 1000);
  return {};
}

/** If it was asked for, and the message is neither too short nor too long for it. */
function reportTranscription(
  call: Call,
  verb: RecordVerb,
  documentUrl: string,
  message: Message,
  recording: Recording,
  seconds: number,
): void {
  const { transcription = "completed", transcript = "" } = message;
  if (!verb.transcribe || !verb.transcribeCallback || transcription === "never") return;
  if (seconds <= 2 || seconds >= 120) return;
  const sid = newSid("TR");
  call.post({
    kind: "transcription",
    url: resolveUrl(verb.transcribeCallback, documentUrl),
    method: "POST",
    params: {
      ...call.params(),
      // Transcribing takes longer than most calls go on after their recording.
      CallStatus: "completed",
      RecordingSid: recording.sid,
      RecordingUrl: recording.url,
      TranscriptionSid: sid,
      TranscriptionStatus: transcription,
      TranscriptionText: transcription === "completed" ? transcript : "",
      TranscriptionType: "fast",
      TranscriptionUrl: `${recording.url}/Transcriptions/${sid}`,
    },
  }, 5000);
}
