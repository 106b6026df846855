import { assertAlmostEquals } from "@std/assert/almost_equals.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertThrows } from "@std/assert/throws.js";
import fc from "fast-check";
import {
  MAX_PROMPT_BYTES,
  promptAdvice,
  PromptAudioError,
  promptUrl,
  readPromptAudio,
} from "../../supabase/functions/_shared/flows/prompt_audio.ts";
import { mp3, wav } from "../support/audio.ts";

const ID3 = new Uint8Array([...new TextEncoder().encode("ID3"), 4, 0, 0, 0, 0, 1, 2]);

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

Deno.test("a WAV file says how long it lasts and what it carries", () => {
  assertEquals(readPromptAudio(wav({ seconds: 2.5 })), {
    type: "audio/wav",
    seconds: 2.5,
    rate: 8000,
    channels: 1,
  });
  const stereo = readPromptAudio(wav({ rate: 44_100, channels: 2 }));
  assertEquals([stereo.seconds, stereo.rate, stereo.channels], [1, 44_100, 2]);
  assertEquals(readPromptAudio(wav({ bits: 8, format: 7, seconds: 3 })).seconds, 3);
});

Deno.test("chunks before the sound are passed over, those of odd length too", () => {
  const file = wav();
  const list = new Uint8Array([...new TextEncoder().encode("LIST"), 3, 0, 0, 0, 1, 2, 3, 0]);
  const longer = joined(file.subarray(0, 36), list, file.subarray(36));
  assertEquals(readPromptAudio(longer).seconds, 1);
});

Deno.test("an MP3 file says how long it lasts, with its titles at either end", () => {
  const audio = readPromptAudio(mp3(100));
  assertAlmostEquals(audio.seconds, 3.6);
  assertEquals([audio.type, audio.rate, audio.channels], ["audio/mpeg", 16_000, 1]);
  const title = new Uint8Array(128);
  title.set(new TextEncoder().encode("TAG"));
  const titled = joined(ID3, new Uint8Array(130), mp3(100), title);
  assertAlmostEquals(readPromptAudio(titled).seconds, 3.6);
});

const FAULTY: Record<string, [Uint8Array, RegExp]> = {
  "a text": [new TextEncoder().encode("Thank you for calling."), /must be a WAV or MP3 file/],
  "nothing": [new Uint8Array(), /must be a WAV or MP3 file/],
  "a WAV file that is cut off": [wav().subarray(0, 1000), /ends before its sound does/],
  "a WAV header alone": [wav().subarray(0, 36), /no format or no sound/],
  "a WAV file without sound": [wav({ seconds: 0 }), /it is empty/],
  "floating point": [wav({ format: 3, bits: 32 }), /must be PCM of 8 or 16 bits/],
  "PCM of 24 bits": [wav({ bits: 24 }), /must be PCM of 8 or 16 bits/],
  "six channels": [wav({ channels: 6 }), /1 or 2 channels/],
  "ten minutes": [wav({ seconds: 600, bits: 8, rate: 4000 }), /must be at most 2097152 bytes/],
  "six minutes": [wav({ seconds: 360, bits: 8, rate: 4000 }), /at most 300 seconds: it lasts 360/],
  "an MP3 file that breaks off": [joined(mp3(10), ID3, mp3(10)), /breaks off after 0.4 seconds/],
  "titles without music": [joined(ID3, new Uint8Array(130)), /must be a WAV or MP3 file/],
};

for (const [name, [bytes, reason]] of Object.entries(FAULTY)) {
  Deno.test(`no prompt: ${name}`, () => {
    const { message } = assertThrows(() => readPromptAudio(bytes), PromptAudioError);
    assertEquals(reason.test(message), true, message);
  });
}

Deno.test("whatever the bytes are, they are read or refused in words", () => {
  const starts = [[], [...wav().subarray(0, 44)], [...mp3(2)], [...ID3]];
  fc.assert(
    fc.property(
      fc.constantFrom(...starts),
      fc.uint8Array({ maxLength: 300 }),
      fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 5 }),
      (start, rest, changes) => {
        const bytes = new Uint8Array([...start, ...rest]);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        try {
          const { seconds } = readPromptAudio(bytes);
          assertEquals(seconds > 0 && Number.isFinite(seconds), true);
        } catch (error) {
          if (!(error instanceof PromptAudioError)) throw error;
        }
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("the largest file is read in a moment", () => {
  const zeros = new Uint8Array(MAX_PROMPT_BYTES - 1000);
  assertThrows(() => readPromptAudio(joined(mp3(1), zeros, ID3)), PromptAudioError);
});

Deno.test("the advice is 8000 Hz, mono, WAV", () => {
  assertEquals(promptAdvice(readPromptAudio(wav())), []);
  assertEquals(promptAdvice(readPromptAudio(mp3(9))).length, 2);
  assertEquals(promptAdvice(readPromptAudio(wav({ channels: 2 }))), [
    "8000 Hz mono is all that a telephone carries; this is 8000 Hz, 2 channels",
  ]);
});

Deno.test("Twilio fetches a prompt beside the functions, or from the project where those have a proxy", () => {
  const supabaseUrl = "https://ref.supabase.co";
  const url = (publicFunctionsUrl: string) => promptUrl({ publicFunctionsUrl, supabaseUrl }, "ab");
  const path = "/storage/v1/object/public/prompts/ab";
  assertEquals(url("https://api.example.com/functions/v1"), `https://api.example.com${path}`);
  assertEquals(url("https://calls.example.com"), `${supabaseUrl}${path}`);
});
