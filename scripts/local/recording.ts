import { sampleMessage } from "../console/recordings.ts";

/** As there is no voice, and its length is not known here: long enough to begin at any second of a usual message. */
let media: Uint8Array<ArrayBuffer> | undefined;

/** The media of any recording, as Twilio would serve it: a minute of notes in the rhythm of speech. */
export function recordedMedia(path: string): Response | undefined {
  if (!/\/Recordings\/RE[0-9a-f]{32}\.(mp3|wav)$/.test(path)) return undefined;
  media ??= sampleMessage(60).bytes;
  return new Response(media, { headers: { "content-type": "audio/x-wav" } });
}
