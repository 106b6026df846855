import { type Recordings, sampleMessage } from "../console/recordings.ts";
import { ranged } from "../ranges.ts";

/** In place of audio that is not on this machine. Long enough to begin at any second of a usual message. */
let sample: ReturnType<typeof sampleMessage> | undefined;

/**
 * The media of a recording, as Twilio would serve it: what was spoken into the web phone, in the format that its browser
 * records, or a minute of notes in the rhythm of speech.
 */
export async function recordedMedia(
  path: string,
  range: string | null,
  recordings: Recordings | undefined,
): Promise<Response | undefined> {
  const sid = /\/Recordings\/(RE[0-9a-f]{32})\.(?:mp3|wav)$/.exec(path)?.[1];
  if (sid === undefined) return undefined;
  const { bytes, type } = await recordings?.find(sid) ?? (sample ??= sampleMessage(60));
  return ranged(bytes, range, { "content-type": type });
}
