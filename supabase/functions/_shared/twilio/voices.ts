import type VoiceResponse from "twilio/lib/twiml/VoiceResponse.js";

// Twilio fails a document whose voice does not speak its language, and the call with it.
// Sources: https://www.twilio.com/docs/voice/twiml/say/text-speech (which voices there are),
// https://docs.aws.amazon.com/polly/latest/dg/available-voices.html (what Polly's speak; Google's names say it).

/** Voices by the language that they speak, the first being what a line of that language has by itself. */
const POLLY = {
  "en-US": [
    "Polly.Joanna",
    "Polly.Joanna-Neural",
    "Polly.Joanna-Generative",
    "Polly.Danielle-Neural",
    "Polly.Danielle-Generative",
    "Polly.Gregory-Neural",
    "Polly.Ivy",
    "Polly.Ivy-Neural",
    "Polly.Joey",
    "Polly.Joey-Neural",
    "Polly.Justin",
    "Polly.Justin-Neural",
    "Polly.Kendra",
    "Polly.Kendra-Neural",
    "Polly.Kevin-Neural",
    "Polly.Kimberly",
    "Polly.Kimberly-Neural",
    "Polly.Matthew",
    "Polly.Matthew-Neural",
    "Polly.Matthew-Generative",
    "Polly.Ruth-Neural",
    "Polly.Ruth-Generative",
    "Polly.Salli",
    "Polly.Salli-Neural",
    "Polly.Stephen-Neural",
    "Polly.Stephen-Generative",
  ],
  "en-GB": [
    "Polly.Amy",
    "Polly.Amy-Neural",
    "Polly.Amy-Generative",
    "Polly.Arthur-Neural",
    "Polly.Brian",
    "Polly.Brian-Neural",
    "Polly.Emma",
    "Polly.Emma-Neural",
  ],
  "en-AU": [
    "Polly.Nicole",
    "Polly.Olivia-Neural",
    "Polly.Olivia-Generative",
    "Polly.Russell",
  ],
  "en-IE": ["Polly.Niamh-Neural"],
  "en-IN": ["Polly.Raveena", "Polly.Aditi", "Polly.Kajal-Neural", "Polly.Kajal-Generative"],
  "en-NZ": ["Polly.Aria-Neural"],
  "en-ZA": ["Polly.Ayanda-Neural", "Polly.Ayanda-Generative"],
} as const satisfies Readonly<Record<string, readonly VoiceResponse.SayAttributes["voice"][]>>;

/** What a line may speak. Only of English is it known what a refusal to be recorded sounds like. */
export const LANGUAGES = Object.keys(POLLY) as (keyof typeof POLLY)[];

const GOOGLE: Readonly<Record<string, RegExp>> = {
  "en-US": /^Google\.en-US-((Standard|Wavenet)-[A-J]|Neural2-[AC-J])$/,
  "en-GB": /^Google\.en-GB-(Standard|Wavenet|Neural2)-[A-DFNO]$/,
  "en-AU": /^Google\.en-AU-(Standard|Wavenet|Neural2)-[A-D]$/,
  "en-IN": /^Google\.en-IN-((Standard|Wavenet)-[A-F]|Neural2-[A-D])$/,
};
/** Each of those languages has them. */
const CHIRP =
  /^Google\.(en-(?:US|GB|AU|IN))-Chirp3-HD-(Aoede|Charon|Fenrir|Kore|Leda|Orus|Puck|Zephyr)$/;

/** Whether Twilio has the voice, and it speaks the language. */
export function speaks(voice: string, language: string): boolean {
  return voicesOf(language).includes(voice) || GOOGLE[language]?.test(voice) === true ||
    CHIRP.exec(voice)?.[1] === language;
}

/** The voice of a line of that language that names none; `undefined`: the account's own. */
export function voiceOf(language: string): string | undefined {
  return voicesOf(language)[0];
}

function voicesOf(language: string): readonly string[] {
  return Object.hasOwn(POLLY, language) ? POLLY[language as keyof typeof POLLY] : [];
}
