import { join } from "@std/path/join.js";
import { wav } from "../../supabase/functions/_shared/wav.ts";

/** What browsers record, and what we make ourselves: the extension of each type's file. */
const TYPES: Readonly<Record<string, string>> = {
  "audio/webm": "webm",
  "audio/ogg": "ogg",
  "audio/mp4": "m4a",
  "audio/wav": "wav",
};

/** A recording as its file has it. */
export interface Audio {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The recordings of simulated calls: one file each in a folder, named by its RecordingSid. */
export class Recordings {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** @throws {TypeError} when browsers record no such type. */
  async keep(sid: string, { type, bytes }: Audio): Promise<void> {
    const extension = TYPES[mediaType(type)];
    if (extension === undefined) throw new TypeError(`Cannot keep a recording of type "${type}"`);
    await Deno.mkdir(this.#dir, { recursive: true });
    // Whole or not at all: the console may ask for it at any time.
    const part = join(this.#dir, `.${sid}.part`);
    await Deno.writeFile(part, bytes);
    await Deno.rename(part, join(this.#dir, `${sid}.${extension}`));
  }

  /** The recording; `undefined`: it is not on this machine. */
  async find(sid: string): Promise<Audio | undefined> {
    for (const [type, extension] of Object.entries(TYPES)) {
      try {
        // deno-lint-ignore no-await-in-loop -- the first of four that is there
        return { type, bytes: await Deno.readFile(join(this.#dir, `${sid}.${extension}`)) };
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    return undefined;
  }
}

/** `audio/webm;codecs=opus` is `audio/webm`. */
function mediaType(type: string): string {
  return type.split(";")[0]!.trim().toLowerCase();
}

const RATE = 8000;
/** Bytes of a WAV file before its samples. */
const HEADER = 44;

/** Stands in for a voice where no microphone is: soft notes in the rhythm of speech, as a WAV. */
export function sampleMessage(seconds: number): Audio {
  const bytes = wav({ seconds: Math.min(Math.max(seconds, 1), 120), rate: RATE });
  const view = new DataView(bytes.buffer);
  const frames = (bytes.length - HEADER) / 2;
  const notes = [220, 247, 294, 262, 220, 196, 247, 220];
  for (let frame = 0; frame < frames; frame++) {
    const time = frame / RATE;
    const syllable = time * 4;
    const note = notes[Math.floor(syllable) % notes.length]!;
    // Each syllable swells and fades; every eighth is a breath.
    const loudness = Math.floor(syllable) % 8 === 7 ? 0 : Math.sin(Math.PI * (syllable % 1)) ** 2;
    const wave = Math.sin(2 * Math.PI * note * time) + 0.3 * Math.sin(4 * Math.PI * note * time);
    view.setInt16(HEADER + frame * 2, wave * loudness * 7000, true);
  }
  return { type: "audio/wav", bytes };
}
