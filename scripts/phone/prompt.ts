import {
  PromptAudioError,
  readPromptAudio,
} from "../../supabase/functions/_shared/flows/prompt_audio.ts";
import type { CallSetup } from "./call.ts";
import type { CallHappening, CallRecord } from "./call_record.ts";
import type { Heard, Pressed, Spoke, Telephone } from "./caller.ts";
import type { Clock } from "./clock.ts";
import type { Play, Prompt, Say } from "./twiml.ts";

/** Who hears a document and answers it: a call, or the person whom a call dials. */
export interface Side {
  readonly setup: Pick<CallSetup, "voiceUrl" | "msPerCharacter" | "sender">;
  readonly clock: Clock;
  readonly record: Pick<CallRecord, "all">;
  happens(happening: CallHappening): void;
  ask<T>(question: (person: Telephone) => T | Promise<T>): Promise<T>;
  pass(ms: number): Promise<void>;
  /** Hangs up. */
  leave(): never;
}

/**
 * Plays one prompt.
 *
 * @param listens Within a `<Gather>`: whether it takes this input, which then cuts the prompt short.
 * @returns What cut it short.
 */
export async function play(
  call: Side,
  prompt: Prompt,
  listens?: (input: Pressed | Spoke) => boolean,
): Promise<Pressed | Spoke | "hangup" | undefined> {
  if (prompt.verb === "Pause") {
    call.happens({ kind: "pause", seconds: prompt.length });
    await call.pass(prompt.length * 1000);
    return undefined;
  }
  const media = prompt.verb === "Play" ? await mediaMs(call, prompt) : 0;
  if (media === undefined) return undefined;
  const { happening, heard } = soundOf(call, prompt, listens !== undefined, media);
  const { durationMs } = heard;
  call.happens(happening);
  const input = await call.ask((caller) => caller.onHear?.(heard)) ?? "silence";
  if (input === "silence") {
    await call.pass(durationMs);
    return undefined;
  }
  const atMs = input === "hangup"
    ? durationMs / 2
    : Math.min(input.afterMs ?? durationMs / 2, durationMs);
  await call.pass(atMs);
  if (input === "hangup" || listens?.(input)) {
    happening.interrupted = true;
    return input;
  }
  call.happens(
    "digits" in input
      ? { kind: "keys", digits: input.digits, lost: true }
      : { kind: "speech", text: input.speech, lost: true },
  );
  await call.pass(durationMs - atMs);
  return undefined;
}

/** How long a file lasts of which nothing but its address is known. */
const UNKNOWN_MS = 3000;

/**
 * Fetches what is to be played, and tells how long it lasts; undefined: there is nothing to hear, and the next verb follows
 * [?]. Files of elsewhere than the app are not fetched.
 */
async function mediaMs(call: Side, { url, digits }: Play): Promise<number | undefined> {
  if (digits !== undefined) return digits.length * 200;
  const isOfApp = URL.canParse(url) && new URL(url).origin === new URL(call.setup.voiceUrl).origin;
  if (!isOfApp) return UNKNOWN_MS;
  const bytes = await call.clock.during(() => call.setup.sender.media(url));
  try {
    if (bytes !== undefined) return readPromptAudio(bytes).seconds * 1000;
  } catch (error) {
    if (!(error instanceof PromptAudioError)) throw error;
  }
  // Source: https://www.twilio.com/docs/api/errors/11200
  call.happens({ kind: "error", code: 11200, message: "Cannot play what is not there", url });
  return undefined;
}

/** As it is kept in the transcript, and as the caller hears it. */
function soundOf(call: Side, prompt: Say | Play, gathering: boolean, mediaMs: number): {
  happening: Extract<CallHappening, { kind: "say" | "play" }>;
  heard: Heard;
} {
  const nth = call.record.all("say").length + call.record.all("play").length + 1;
  const times = Math.max(1, prompt.loop);
  if (prompt.verb === "Say") {
    const { text, voice, language } = prompt;
    const durationMs = text.length * call.setup.msPerCharacter * times;
    return {
      happening: { kind: "say", text, voice, language, gathering, interrupted: false },
      heard: { text, audio: false, voice, language, nth, gathering, durationMs },
    };
  }
  const { url } = prompt;
  // Where words take no time, as for a person at the web phone, a file takes none besides what that page plays.
  const durationMs = call.setup.msPerCharacter === 0 ? 0 : mediaMs * times;
  return {
    happening: { kind: "play", url, gathering, interrupted: false },
    heard: {
      text: url,
      audio: true,
      voice: undefined,
      language: undefined,
      nth,
      gathering,
      durationMs,
    },
  };
}
