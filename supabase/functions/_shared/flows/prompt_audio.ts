/**
 * Recorded prompts: which files a call can play, how long they are, and where they are stored. An object's name is the
 * SHA-256 of its bytes, so an address never changes its content and every cache may keep it.
 *
 * @module
 */

/** The public bucket of Supabase Storage that holds prompts. */
export const PROMPT_BUCKET = "prompts";

/** In bytes. Twilio fetches every file of a `<Gather>` before the first one plays. */
export const MAX_PROMPT_BYTES = 2 * 1024 * 1024;

/** In seconds. Nobody listens longer, and Twilio may drop a call during much longer files. */
const MAX_PROMPT_SECONDS = 300;

export const PROMPT_TYPES = ["audio/wav", "audio/mpeg"] as const;

/** What a file says of itself. */
export interface PromptAudio {
  readonly type: typeof PROMPT_TYPES[number];
  readonly seconds: number;
  /** Samples a second. */
  readonly rate: number;
  readonly channels: number;
}

/** Why a file cannot be a prompt; the message tells its owner what to do. */
export class PromptAudioError extends Error {
  override name = "PromptAudioError";
}

/**
 * Reads a WAV or MP3 file by its bytes; neither its name nor a sender's MIME type counts.
 *
 * @throws {PromptAudioError}
 */
export function readPromptAudio(bytes: Uint8Array): PromptAudio {
  if (bytes.length > MAX_PROMPT_BYTES) {
    throw new PromptAudioError(
      `must be at most ${MAX_PROMPT_BYTES} bytes: it has ${bytes.length}. Save it as WAV with 8000 Hz, mono`,
    );
  }
  const audio = ascii(bytes, 0, 4) === "RIFF" && ascii(bytes, 8, 4) === "WAVE"
    ? readWav(bytes)
    : readMp3(bytes);
  if (audio.seconds === 0) throw new PromptAudioError("must hold sound: it is empty");
  if (audio.seconds > MAX_PROMPT_SECONDS) {
    throw new PromptAudioError(
      `must last at most ${MAX_PROMPT_SECONDS} seconds: it lasts ${Math.round(audio.seconds)}`,
    );
  }
  return audio;
}

/** What would make a file sound the same and start sooner. A telephone carries 8000 samples a second of one channel. */
export function promptAdvice({ type, rate, channels }: PromptAudio): string[] {
  const advice: string[] = [];
  if (type === "audio/mpeg") advice.push("WAV starts without the delay of converting an MP3");
  if (rate !== 8000 || channels !== 1) {
    const is = `${rate} Hz, ${channels === 1 ? "mono" : `${channels} channels`}`;
    advice.push(`8000 Hz mono is all that a telephone carries; this is ${is}`);
  }
  return advice;
}

/**
 * Where Twilio fetches a prompt.
 *
 * @param publicFunctionsUrl The base that Twilio calls; Storage is beside it unless that base is a proxy of the functions.
 */
export function promptUrl(
  { publicFunctionsUrl, supabaseUrl }: {
    readonly publicFunctionsUrl: string;
    readonly supabaseUrl: string;
  },
  hash: string,
): string {
  const beside = /^(.*)\/functions\/v1$/.exec(publicFunctionsUrl)?.[1];
  return `${beside ?? supabaseUrl}/storage/v1/object/public/${PROMPT_BUCKET}/${hash}`;
}

/** PCM, A-law and mu-law: what Twilio's `<Play>` takes as `audio/wav`. */
const WAV_FORMATS = new Map([[1, [8, 16]], [6, [8]], [7, [8]]]);

/** Source: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", RIFF WAVE. */
function readWav(bytes: Uint8Array): PromptAudio {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: { rate: number; channels: number; bytesPerSecond: number } | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const name = ascii(bytes, at, 4);
    const size = view.getUint32(at + 4, true);
    const body = at + 8;
    if (name === "fmt ") {
      if (size < 16 || body + size > bytes.length) break;
      const tag = view.getUint16(body, true);
      // WAVE_FORMAT_EXTENSIBLE names the format later.
      const kind = tag === 0xfffe && size >= 40 ? view.getUint16(body + 24, true) : tag;
      const channels = view.getUint16(body + 2, true);
      const rate = view.getUint32(body + 4, true);
      const bits = view.getUint16(body + 14, true);
      if (!WAV_FORMATS.get(kind)?.includes(bits)) {
        throw new PromptAudioError(
          "must be PCM of 8 or 16 bits, A-law or mu-law: save it as WAV with 8000 Hz, mono, 16 bits",
        );
      }
      if (channels < 1 || channels > 2 || rate < 4000 || rate > 192_000) {
        throw new PromptAudioError("must have 1 or 2 channels and 4000 to 192000 samples a second");
      }
      format = { rate, channels, bytesPerSecond: rate * channels * bits / 8 };
    } else if (name === "data") {
      if (format === undefined) break;
      if (body + size > bytes.length) {
        throw new PromptAudioError("must be whole: the file ends before its sound does");
      }
      const { rate, channels, bytesPerSecond } = format;
      return { type: "audio/wav", seconds: size / bytesPerSecond, rate, channels };
    }
    // Chunks begin at even addresses.
    at = body + size + size % 2;
  }
  throw new PromptAudioError("must be a whole WAV file: its header has no format or no sound");
}

// By version (MPEG 1, then 2 and 2.5), in kbit/s and in Hz. Source: ISO/IEC 11172-3 and 13818-3, layer III.
const BITRATES = [
  [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
] as const;
const RATES = new Map([[3, [44_100, 48_000, 32_000]], [2, [22_050, 24_000, 16_000]], [0, [
  11_025,
  12_000,
  8000,
]]]);

function readMp3(bytes: Uint8Array): PromptAudio {
  let at = 0;
  if (ascii(bytes, 0, 3) === "ID3" && bytes.length >= 10) {
    const size = [6, 7, 8, 9].reduce((sum, each) => sum * 128 + (bytes[each]! & 127), 0);
    at = 10 + size;
  }
  let seconds = 0;
  let first: { rate: number; channels: number } | undefined;
  while (at < bytes.length && !isTrailer(bytes, at)) {
    const frame = frameAt(bytes, at);
    if (frame === undefined) {
      throw new PromptAudioError(
        first === undefined
          ? "must be a WAV or MP3 file: it is neither"
          : `must be a whole MP3 file: it breaks off after ${seconds.toFixed(1)} seconds`,
      );
    }
    first ??= frame;
    seconds += frame.seconds;
    at += frame.length;
  }
  if (first === undefined) throw new PromptAudioError("must be a WAV or MP3 file: it is neither");
  return { type: "audio/mpeg", seconds, rate: first.rate, channels: first.channels };
}

/** One frame of layer III; the last one may be cut. */
function frameAt(bytes: Uint8Array, at: number) {
  const [b0 = 0, b1 = 0, b2 = 0, b3 = 0] = bytes.subarray(at, at + 4);
  const version = b1 >> 3 & 3;
  if (b0 !== 0xff || (b1 & 0xe0) !== 0xe0 || (b1 >> 1 & 3) !== 1) return undefined;
  const bitrate = BITRATES[version === 3 ? 0 : 1][(b2 >> 4) - 1];
  const rate = RATES.get(version)?.[b2 >> 2 & 3];
  if (bitrate === undefined || rate === undefined) return undefined;
  const samples = version === 3 ? 1152 : 576;
  const length = Math.floor(samples / 8 * bitrate * 1000 / rate) + (b2 >> 1 & 1);
  return { rate, channels: b3 >> 6 === 3 ? 1 : 2, seconds: samples / rate, length };
}

/** Titles at the end of a file (ID3v1, APE), or the zeros that fill it up. */
function isTrailer(bytes: Uint8Array, at: number): boolean {
  return ascii(bytes, at, 3) === "TAG" || ascii(bytes, at, 8) === "APETAGEX" ||
    bytes.subarray(at).every((byte) => byte === 0);
}

function ascii(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
