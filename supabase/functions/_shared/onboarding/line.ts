import { normaliseSpeech } from "../calls/consent.ts";
import { canNameChoice } from "../calls/menu.ts";
import {
  consentOf,
  defaultProfile,
  type Destination,
  type LineProfile,
  type MenuOption,
} from "../calls/profile.ts";
import type { LineChanges, MenuEntry } from "../db/tenants.ts";
import { type Destinations, dialable } from "../destinations.ts";
import type { Settings } from "../settings.ts";
import { speaks, voiceOf } from "../voices.ts";

/**
 * The default line with an organisation's changes. Pure; without changes it is the default line. A stored number that
 * the settings no longer allow to be dialled leads to voicemail.
 */
export function lineWith(settings: Settings, changes: LineChanges): LineProfile {
  const base = defaultProfile(settings);
  const language = changes.language ?? base.language;
  const { destinations } = settings;
  const options = changes.menu?.map((entry) => optionOf(entry, destinations));
  const firstPerson = changes.menu?.find(({ destination }) => destination !== "voicemail");
  // Of an organisation with a menu of its own, nobody of ours is rung.
  const operator = changes.operator ?? firstPerson?.destination ??
    (changes.menu === undefined ? undefined : "voicemail");
  return {
    ...base,
    language,
    voice: changes.voice !== undefined && speaks(changes.voice, language)
      ? changes.voice
      : voiceOf(language),
    greeting: changes.greeting ?? base.greeting,
    consent: consentOf(
      changes.recording_consent ?? settings.recordingConsent,
      language,
      changes.disclosure,
    ),
    menu: options === undefined ? base.menu : {
      ...base.menu,
      options,
      hints: [
        ...options.flatMap(({ spoken }) => spoken).slice(0, 100),
        ...base.menu.hints.filter((hint) => /record|agree/i.test(hint)),
      ],
    },
    operator: {
      ...base.operator,
      destination: operator === undefined
        ? base.operator.destination
        : destinationOf(operator, destinations),
    },
    ringSec: changes.ring_seconds ?? base.ringSec,
    voicemail: {
      ...base.voicemail,
      prompt: changes.voicemail?.prompt ?? base.voicemail.prompt,
      thanks: changes.voicemail?.thanks ?? base.voicemail.thanks,
      maxSec: changes.voicemail?.max_seconds ?? base.voicemail.maxSec,
    },
  };
}

function destinationOf(destination: string, destinations: Destinations): Destination {
  const number = dialable(destination, destinations);
  return number === undefined ? { kind: "voicemail" } : { kind: "dial", number };
}

function optionOf(entry: MenuEntry, destinations: Destinations): MenuOption {
  const voicemail = entry.destination === "voicemail";
  return {
    key: entry.key,
    mode: entry.mode,
    destination: destinationOf(entry.destination, destinations),
    prompt: `For ${entry.label}, press ${entry.key}.`,
    announcement: entry.announcement ?? (voicemail ? "" : `Connecting you to ${entry.label}.`),
    spoken: (entry.spoken ?? [entry.label]).map(normaliseSpeech).filter((phrase) =>
      canNameChoice(phrase)
    ),
  };
}
