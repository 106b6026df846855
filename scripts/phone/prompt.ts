import type { Call } from "./call.ts";
import type { CallHappening } from "./call_record.ts";
import type { Heard, Pressed, Spoke } from "./caller.ts";
import type { Play, Prompt, Say } from "./twiml.ts";

/**
 * Plays one prompt to the caller.
 *
 * @param listens Within a `<Gather>`: whether it takes this input, which then cuts the prompt short.
 * @returns What cut it short.
 */
export async function play(
  call: Call,
  prompt: Prompt,
  listens?: (input: Pressed | Spoke) => boolean,
): Promise<Pressed | Spoke | "hangup" | undefined> {
  if (prompt.verb === "Pause") {
    call.happens({ kind: "pause", seconds: prompt.length });
    await call.pass(prompt.length * 1000);
    return undefined;
  }
  const { happening, heard } = soundOf(call, prompt, listens !== undefined);
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

/** As it is kept in the transcript, and as the caller hears it. */
function soundOf(call: Call, prompt: Say | Play, gathering: boolean): {
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
  const { url, digits } = prompt;
  const durationMs = (digits === undefined ? 3000 : digits.length * 200) * times;
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
