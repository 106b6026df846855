import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import type VoiceResponse from "twilio/lib/twiml/VoiceResponse.js";
import { LANGUAGES, POLLY, speaks, voiceOf } from "../../supabase/functions/_shared/voices.ts";

// The compiler holds the names to those of Twilio's own package.
POLLY satisfies Readonly<Record<string, readonly VoiceResponse.SayAttributes["voice"][]>>;

Deno.test("Google's voices are those that Twilio's own package lists, each for its language", async () => {
  const types = await Deno.readTextFile("node_modules/twilio/lib/twiml/VoiceResponse.d.ts");
  const listed = new Set(types.match(/Google\.(en|fr|es)-[A-Z]{2}-[A-Za-z0-9-]+(?=")/g));
  assert(listed.size > 200);
  for (const voice of listed) {
    const own = LANGUAGES.filter((language) => speaks(voice, language));
    assertEquals(own, [/(en|fr|es)-[A-Z]{2}/.exec(voice)![0]], voice);
  }
  assertEquals(speaks("Google.en-US-Chirp3-HD-Nobody", "en-US"), false);
});

Deno.test("each language has a voice that speaks it", () => {
  assert(LANGUAGES.length > 20);
  for (const language of LANGUAGES) {
    const voice = voiceOf(language);
    assert(voice !== undefined && speaks(voice, language), language);
  }
  assertEquals(voiceOf("en-US"), "Polly.Joanna");
});
