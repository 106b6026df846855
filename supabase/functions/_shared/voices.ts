// Twilio fails a document whose voice does not speak its language, and the call with it.
// Sources: https://www.twilio.com/docs/voice/twiml/say/text-speech (which voices there are),
// https://docs.aws.amazon.com/polly/latest/dg/available-voices.html (what Polly's speak; Google's names say it).

/** Voices by the language that they speak, the first being what a line of that language has by itself. */
export const POLLY = {
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
  "fr-CA": ["Polly.Chantal", "Polly.Gabrielle-Neural", "Polly.Liam-Neural"],
  "fr-FR": [
    "Polly.Lea",
    "Polly.Lea-Neural",
    "Polly.Lea-Generative",
    "Polly.Celine",
    "Polly.Mathieu",
    "Polly.Remi-Neural",
  ],
  "es-US": [
    "Polly.Lupe",
    "Polly.Lupe-Neural",
    "Polly.Lupe-Generative",
    "Polly.Miguel",
    "Polly.Pedro-Neural",
    "Polly.Pedro-Generative",
    "Polly.Penelope",
  ],
  "es-MX": ["Polly.Mia", "Polly.Mia-Neural", "Polly.Andres-Neural", "Polly.Andres-Generative"],
  "es-ES": [
    "Polly.Lucia",
    "Polly.Lucia-Neural",
    "Polly.Lucia-Generative",
    "Polly.Conchita",
    "Polly.Enrique",
    "Polly.Sergio-Neural",
    "Polly.Sergio-Generative",
  ],
  "de-DE": [
    "Polly.Vicki",
    "Polly.Vicki-Neural",
    "Polly.Vicki-Generative",
    "Polly.Daniel-Neural",
    "Polly.Daniel-Generative",
    "Polly.Hans",
    "Polly.Marlene",
  ],
  "it-IT": [
    "Polly.Bianca",
    "Polly.Bianca-Neural",
    "Polly.Bianca-Generative",
    "Polly.Adriano-Neural",
    "Polly.Carla",
    "Polly.Giorgio",
  ],
  "pt-BR": [
    "Polly.Camila",
    "Polly.Camila-Neural",
    "Polly.Ricardo",
    "Polly.Thiago-Neural",
    "Polly.Vitoria",
    "Polly.Vitoria-Neural",
  ],
  "pt-PT": ["Polly.Ines", "Polly.Ines-Neural", "Polly.Cristiano"],
  "nl-NL": ["Polly.Lotte", "Polly.Laura-Neural", "Polly.Ruben"],
  "nl-BE": ["Polly.Lisa-Neural"],
  "pl-PL": ["Polly.Ewa", "Polly.Jacek", "Polly.Jan", "Polly.Maja", "Polly.Ola-Neural"],
  "sv-SE": ["Polly.Astrid", "Polly.Elin-Neural"],
  "da-DK": ["Polly.Naja", "Polly.Mads", "Polly.Sofie-Neural"],
  "nb-NO": ["Polly.Liv", "Polly.Ida-Neural"],
  "fi-FI": ["Polly.Suvi-Neural"],
  "ro-RO": ["Polly.Carmen"],
  "tr-TR": ["Polly.Filiz", "Polly.Burcu-Neural"],
  "hi-IN": ["Polly.Aditi", "Polly.Kajal-Neural", "Polly.Kajal-Generative"],
  "ja-JP": ["Polly.Mizuki", "Polly.Takumi", "Polly.Takumi-Neural", "Polly.Kazuha-Neural"],
  "ko-KR": ["Polly.Seoyeon", "Polly.Seoyeon-Neural"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** What a line may speak; Twilio's `<Gather>` understands speech in each of them. */
export const LANGUAGES = Object.keys(POLLY) as (keyof typeof POLLY)[];

const GOOGLE: Readonly<Record<string, RegExp>> = {
  "en-US": /^Google\.en-US-((Standard|Wavenet)-[A-J]|Neural2-[AC-J])$/,
  "en-GB": /^Google\.en-GB-(Standard|Wavenet|Neural2)-[A-DFNO]$/,
  "en-AU": /^Google\.en-AU-(Standard|Wavenet|Neural2)-[A-D]$/,
  "en-IN": /^Google\.en-IN-((Standard|Wavenet)-[A-F]|Neural2-[A-D])$/,
  "fr-CA": /^Google\.fr-CA-(Standard|Wavenet|Neural2)-[A-D]$/,
  "fr-FR": /^Google\.fr-FR-(Standard|Wavenet|Neural2)-[A-G]$/,
  "es-US": /^Google\.es-US-(Standard|Wavenet|Neural2)-[A-C]$/,
  "es-ES": /^Google\.es-ES-((Standard|Neural2)-[A-H]|Wavenet-[B-H])$/,
};
/** Each of those languages has them. */
const CHIRP =
  /^Google\.(en-(?:US|GB|AU|IN)|fr-(?:CA|FR)|es-(?:US|ES))-Chirp3-HD-(Aoede|Charon|Fenrir|Kore|Leda|Orus|Puck|Zephyr)$/;

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
