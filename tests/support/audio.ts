export { wav } from "../../supabase/functions/_shared/wav.ts";

/** MP3 frames without sound: MPEG 2, layer III, 32 kbit/s, 16 kHz, mono; 36 ms each. */
export function mp3(frames: number): Uint8Array<ArrayBuffer> {
  const length = 144;
  const bytes = new Uint8Array(frames * length);
  for (let nth = 0; nth < frames; nth++) bytes.set([0xff, 0xf3, 0x48, 0xc0], nth * length);
  return bytes;
}
